//! Building blocks that several families share, with torchvision's names for their parts.

use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// A square filter whose padding keeps the size, but for the stride.
#[derive(Clone, Copy)]
pub(super) struct Filter {
    pub(super) out: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) groups: usize,
}

impl Filter {
    /// All channels of one pixel.
    pub(super) fn pointwise(out: usize) -> Self {
        Self { out, kernel: 1, stride: 1, groups: 1 }
    }

    /// Each channel by itself.
    pub(super) fn depthwise(channels: usize, kernel: usize, stride: usize) -> Self {
        Self { out: channels, kernel, stride, groups: channels }
    }

    fn attrs(self) -> ConvAttrs {
        let plain = ConvAttrs::same(self.kernel / 2).with_stride(self.stride);
        ConvAttrs { groups: self.groups, ..plain }
    }
}

/// `Conv2dNormActivation`: a convolution `name.0`, its batch norm `name.1` and, if there is one,
/// an activation `name.2`.
pub(super) fn conv_norm_act(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    filter: Filter,
    activation: Option<&Op>,
) -> Result<ValueId, GraphError> {
    let [conv, norm] = [&*format!("{name}.0"), &*format!("{name}.1")];
    let y = layers.conv_norm([conv, norm], x, filter.out, filter.kernel, filter.attrs())?;
    match activation {
        Some(op) => layers.graph.node(&format!("{name}.2"), op.clone(), &[y]),
        None => Ok(y),
    }
}

/// The channels times a gate that reads the mean of each: squeeze-and-excite.
///
/// J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018, section 3.
pub(super) fn squeeze_excite(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    squeezed: usize,
    [inner, gate]: [&Op; 2],
) -> Result<ValueId, GraphError> {
    let part = |p: &str| format!("{name}.{p}");
    let channels = layers.channels(x);
    let means = layers.graph.node(&part("avgpool"), Op::GlobalAveragePool, &[x])?;
    let y = layers.conv(&part("fc1"), means, squeezed, 1, ConvAttrs::same(0))?;
    let y = layers.graph.node(&part("activation"), inner.clone(), &[y])?;
    let y = layers.conv(&part("fc2"), y, channels, 1, ConvAttrs::same(0))?;
    let gate = layers.graph.node(&part("scale_activation"), gate.clone(), &[y])?;
    layers.graph.node(name, Op::Mul, &[x, gate])
}

/// An inverted residual of MobileNetV3 or EfficientNet.
pub(super) struct Inverted {
    /// Channels in the middle.
    pub(super) expanded: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) out: usize,
    pub(super) activation: Op,
    /// Channels between squeeze and excite with the activations behind the two, if there is one.
    pub(super) excite: Option<(usize, [Op; 2])>,
}

/// A pointwise convolution to more channels, unless there are as many already, a depthwise one,
/// squeeze-and-excite, and a pointwise convolution without activation; plus the operand, where the
/// shapes allow it.
pub(super) fn inverted_residual(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    block: &Inverted,
) -> Result<ValueId, GraphError> {
    let mut index = 0..;
    let mut next = || format!("{name}.block.{}", index.next().unwrap_or_default());
    let Inverted { expanded, kernel, stride, out, .. } = *block;
    let activation = Some(&block.activation);
    let mut y = x;
    if expanded != layers.channels(x) {
        y = conv_norm_act(layers, &next(), y, Filter::pointwise(expanded), activation)?;
    }
    let filter = Filter::depthwise(expanded, kernel, stride);
    y = conv_norm_act(layers, &next(), y, filter, activation)?;
    if let Some((squeezed, [inner, gate])) = &block.excite {
        y = squeeze_excite(layers, &next(), y, *squeezed, [inner, gate])?;
    }
    y = conv_norm_act(layers, &next(), y, Filter::pointwise(out), None)?;
    residual(layers, name, x, y, stride)
}

/// `x + y` where the block between them keeps size and channels, else `y`.
pub(super) fn residual(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    y: ValueId,
    stride: usize,
) -> Result<ValueId, GraphError> {
    if stride == 1 && layers.channels(x) == layers.channels(y) {
        return layers.graph.node(name, Op::Add, &[x, y]);
    }
    Ok(y)
}
