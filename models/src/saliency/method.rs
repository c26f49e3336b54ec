//! The registry of methods.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::map::Reduction;

/// A saliency method.
///
/// | method | reads | attribution | depends on the class |
/// |---|---|---|---|
/// | gradient | the image | shape of the image, signed | yes |
/// | input-x-gradient | the image | shape of the image, signed | yes |
/// | guided-backprop | the image | shape of the image, signed | hardly (Adebayo et al. 2018) |
/// | grad-cam | one layer | one channel at the layer's size, never negative | yes |
/// | vbp | several layers | one channel at the first layer's size, never negative | no |
/// | layer-cam, hires-cam, grad-cam++ | one layer | as grad-cam | yes |
/// | eigen-cam | one layer | as grad-cam | no |
/// | lrp-epsilon, lrp-composite | the image | shape of the image, signed | yes |
/// | deeplift | the image | shape of the image, signed | yes |
/// | activation | one layer | shape of the layer | no |
/// | attention-rollout | the attention of all blocks | a value for each patch | no |
/// | gradient-attention | the attention of all blocks | a value for each patch | yes |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Derivative of the explained logit by the pixels (Simonyan et al. 2014).
    Gradient,
    /// The pixels times that derivative (Shrikumar et al. 2016).
    InputXGradient,
    /// The derivative with negative gradients cut off at every activation (Springenberg et al.
    /// 2015).
    GuidedBackprop,
    /// Channels of a layer weighted by their mean gradient (Selvaraju et al. 2017).
    GradCam,
    /// Mean activations of all layers, multiplied on the way back to the image (Bojarski et al.
    /// 2016).
    VisualBackProp,
    /// Channels of a layer weighted by their positive gradient, pixel by pixel (Jiang et al. 2021).
    LayerCam,
    /// A layer times its gradient (Draelos and Carin 2020).
    HiResCam,
    /// Channels of a layer weighted by their positive gradients, those weighted by powers of them
    /// (Chattopadhay et al. 2018).
    GradCamPlusPlus,
    /// The first principal component of a layer (Muhammad and Yeasin 2020).
    EigenCam,
    /// The logit handed back in proportion to what it was made of (Bach et al. 2015).
    LrpEpsilon,
    /// The same with a rule for each kind of layer (Montavon et al. 2019).
    LrpComposite,
    /// The pixels times the quotient of differences from a black picture (Shrikumar et al. 2017).
    DeepLift,
    /// A layer as it is.
    Activation,
    /// Attention, multiplied from block to block (Abnar and Zuidema 2020).
    AttentionRollout,
    /// The same by gradients (Chefer et al. 2021).
    GradientAttention,
}

impl Method {
    /// All methods.
    pub const ALL: &[Self] = &[
        Self::Gradient,
        Self::InputXGradient,
        Self::GuidedBackprop,
        Self::GradCam,
        Self::VisualBackProp,
        Self::LayerCam,
        Self::HiResCam,
        Self::GradCamPlusPlus,
        Self::EigenCam,
        Self::LrpEpsilon,
        Self::LrpComposite,
        Self::DeepLift,
        Self::Activation,
        Self::AttentionRollout,
        Self::GradientAttention,
    ];

    /// The methods that read the attention of transformers, and no other network.
    pub const OF_ATTENTION: &[Self] = &[Self::AttentionRollout, Self::GradientAttention];

    /// The methods that a gate can be made for, and that an imported network gets where none are
    /// named.
    pub const GATED: &[Self] = &[
        Self::Gradient,
        Self::InputXGradient,
        Self::GuidedBackprop,
        Self::GradCam,
        Self::VisualBackProp,
    ];

    /// The name used in files and on command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gradient => "gradient",
            Self::InputXGradient => "input-x-gradient",
            Self::GuidedBackprop => "guided-backprop",
            Self::GradCam => "grad-cam",
            Self::VisualBackProp => "vbp",
            Self::LayerCam => "layer-cam",
            Self::HiResCam => "hires-cam",
            Self::GradCamPlusPlus => "grad-cam++",
            Self::EigenCam => "eigen-cam",
            Self::LrpEpsilon => "lrp-epsilon",
            Self::LrpComposite => "lrp-composite",
            Self::DeepLift => "deeplift",
            Self::Activation => "activation",
            Self::AttentionRollout => "attention-rollout",
            Self::GradientAttention => "gradient-attention",
        }
    }

    /// How many layers it reads.
    pub fn layers(self) -> RangeInclusive<usize> {
        match self {
            Self::Gradient
            | Self::InputXGradient
            | Self::GuidedBackprop
            | Self::LrpEpsilon
            | Self::LrpComposite
            | Self::DeepLift
            | Self::AttentionRollout
            | Self::GradientAttention => 0..=0,
            Self::GradCam
            | Self::LayerCam
            | Self::HiResCam
            | Self::GradCamPlusPlus
            | Self::EigenCam
            | Self::Activation => 1..=1,
            Self::VisualBackProp => 1..=usize::MAX,
        }
    }

    /// Whether it reads one layer, which a user may name.
    pub fn reads_one_layer(self) -> bool {
        self.layers() == (1..=1)
    }

    /// How its attribution becomes a map.
    pub fn reduction(self) -> Reduction {
        match self {
            Self::Gradient | Self::InputXGradient | Self::GuidedBackprop => Reduction::MaxAbs,
            _ => Reduction::Sum,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        let method = Self::ALL.iter().find(|m| m.name() == name).copied();
        method.ok_or_else(|| UnknownMethod { name: name.to_owned() })
    }
}

/// No method has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMethod {
    name: String,
}

impl fmt::Display for UnknownMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known: Vec<_> = Method::ALL.iter().map(|m| m.name()).collect();
        write!(f, "there is no saliency method '{}'; there are: {}", self.name, known.join(", "))
    }
}

impl std::error::Error for UnknownMethod {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for method in Method::ALL {
            assert_eq!(method.name().parse(), Ok(*method));
        }
        let error = "lime".parse::<Method>().unwrap_err().to_string();
        assert!(error.contains("'lime'") && error.contains("grad-cam"), "{error}");
    }
}
