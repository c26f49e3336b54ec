//! Parts of the slopes of weights, as nodes.

use std::fmt;

use saligate_kernels::{ConvSlope, DepthwiseSlope, Isa, Map, Operand, Window, pointwise};
use saligate_models::graph::ConvAttrs;

use super::layout::Form;
use super::plain;

/// One part of the slope of a weight.
pub(super) struct SlopePart {
    pub(super) kind: SlopeKind,
    /// Position of the weight.
    pub(super) weight: usize,
}

pub(super) enum SlopeKind {
    Conv(Window),
    /// With its channels.
    Depthwise(Window, usize),
    /// A convolution with groups, and the shape of its weight.
    Grouped(ConvAttrs, [usize; 4]),
    Dense,
    Bias,
}

/// What adds up a part over images.
pub(super) enum Adder {
    Conv(Box<ConvSlope>),
    Depthwise(Box<DepthwiseSlope>),
    Dense,
    /// What each image has is there, and only added.
    Ready,
}

impl SlopePart {
    /// The form of an operand, which comes in this one.
    pub(super) fn wanted(&self, number: usize, found: Form) -> Form {
        match (&self.kind, number) {
            (SlopeKind::Conv(_), 0) if found != Form::Blocked => Form::Padded,
            (SlopeKind::Conv(_), _) => Form::Blocked,
            (SlopeKind::Depthwise(_, channels), _) if *channels >= 4 => Form::Blocked,
            (SlopeKind::Depthwise(..), 0) => Form::Padded,
            (SlopeKind::Bias, _) => found,
            _ => Form::Flat,
        }
    }

    /// The halo that the input of the layer needs.
    pub(super) fn halo(&self, [input, output]: [[usize; 3]; 2]) -> usize {
        match &self.kind {
            SlopeKind::Conv(window) | SlopeKind::Depthwise(window, _) => {
                window.halo([input[1], input[2]], [output[1], output[2]])
            }
            _ => 0,
        }
    }

    /// For operands of these maps.
    pub(super) fn adder(&self, isa: Isa, maps: [Map; 2]) -> Adder {
        match &self.kind {
            SlopeKind::Conv(window) => Adder::Conv(Box::new(ConvSlope::new(isa, window, maps))),
            SlopeKind::Depthwise(window, _) => {
                Adder::Depthwise(Box::new(DepthwiseSlope::new(isa, window, maps)))
            }
            SlopeKind::Dense => Adder::Dense,
            SlopeKind::Grouped(..) | SlopeKind::Bias => Adder::Ready,
        }
    }

    /// What one image has, for the parts that are added when they are ready.
    pub(super) fn of_image<'a>(
        &self,
        isa: Isa,
        operand: impl Fn(usize) -> Operand<'a>,
        out: &mut [f32],
    ) {
        match &self.kind {
            SlopeKind::Bias => {
                let h = operand(0);
                if h.map.channels() == out.len() {
                    pointwise::plane_sums(isa, &h, 1.0, out);
                } else {
                    out.copy_from_slice(h.values);
                }
            }
            SlopeKind::Grouped(attrs, weight) => {
                let of = |at: usize| {
                    let Operand { values, map } = operand(at);
                    (values, [1, map.channels(), map.rows(), map.columns()])
                };
                let ((x, of_x), (h, of_h)) = (of(0), of(1));
                plain::conv_slope(attrs, (x, &of_x), (h, &of_h), (out, weight));
            }
            _ => {}
        }
    }
}

impl fmt::Display for SlopePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.kind {
            SlopeKind::Conv(_) => "conv",
            SlopeKind::Depthwise(..) => "depthwise",
            SlopeKind::Grouped(..) => "grouped",
            SlopeKind::Dense => "dense",
            SlopeKind::Bias => "bias",
        })
    }
}
