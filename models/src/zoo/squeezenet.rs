//! SqueezeNet 1.1.

use super::Task;
use super::initial::Draw;
use super::layers::Layers;
use crate::graph::{ConvAttrs, GraphError, Op, ValueId};

/// Channels of the fire modules: squeezed, and of each of the two expansions. A max pool goes
/// before the first, the third and the fifth.
const FIRES: [[usize; 2]; 8] =
    [[16, 64], [16, 64], [32, 128], [32, 128], [48, 192], [48, 192], [64, 256], [64, 256]];

/// What the two published files of weights disagree in.
#[derive(Clone, Copy)]
pub(super) enum Naming {
    /// `features.0`, `features.3.squeeze`, ..., `classifier.1`.
    Torchvision,
    /// `conv1`, `fire2.squeeze`, ..., `conv10`, which pads its maps by one pixel.
    Caffe,
}

impl Naming {
    fn first(self) -> [&'static str; 2] {
        match self {
            Self::Torchvision => ["features.0", "features.1"],
            Self::Caffe => ["conv1", "relu_conv1"],
        }
    }

    /// Names of the fire module at `position` and of the pool before it.
    fn fire(self, position: usize) -> [String; 2] {
        match self {
            Self::Torchvision => {
                // The pools, at 2, 5 and 8, are counted as well.
                let index = 3 + position + position.min(4) / 2;
                [format!("features.{index}"), format!("features.{}", index - 1)]
            }
            Self::Caffe => [format!("fire{}", position + 2), format!("pool{}", position + 1)],
        }
    }

    fn last(self) -> ([&'static str; 3], usize) {
        match self {
            Self::Torchvision => (["classifier.1", "classifier.2", "classifier.3"], 0),
            Self::Caffe => (["conv10", "relu_conv10", "pool10"], 1),
        }
    }
}

/// A convolution, eight fire modules, and a convolution to one map per class, whose means are the
/// logits.
///
/// F. Iandola, S. Han, M. Moskewicz, K. Ashraf, W. Dally, K. Keutzer, "SqueezeNet: AlexNet-level
/// accuracy with 50x fewer parameters and <0.5MB model size", arXiv 1602.07360, 2016, in version
/// 1.1 of its authors.
///
/// As in torchvision, weights start uniform as behind He et al. 2015, and normal with a deviation
/// of 0.01 in the last layer.
pub(super) fn body(
    layers: &mut Layers,
    task: &Task,
    naming: Naming,
) -> Result<ValueId, GraphError> {
    let [conv, relu] = naming.first();
    let stem = layers.conv(conv, layers.pixels, 64, 3, ConvAttrs::same(0).with_stride(2))?;
    let mut x = layers.relu(relu, stem)?;
    for (position, channels) in FIRES.into_iter().enumerate() {
        let [name, pool] = naming.fire(position);
        if [0, 2, 4].contains(&position) {
            x = layers.max_pool_ceil(&pool, x, [3, 2])?;
        }
        x = fire(layers, &name, x, channels)?;
    }
    let ([conv, relu, pool], pad) = naming.last();
    layers.scheme.conv = Draw::Normal { deviation: 0.01 };
    let maps = layers.conv(conv, x, task.classes, 1, ConvAttrs::same(pad))?;
    let maps = layers.relu(relu, maps)?;
    let scores = layers.graph.node(pool, Op::GlobalAveragePool, &[maps])?;
    layers.graph.node("scores", Op::Flatten, &[scores])
}

fn fire(
    layers: &mut Layers,
    name: &str,
    x: ValueId,
    [squeezed, expanded]: [usize; 2],
) -> Result<ValueId, GraphError> {
    let mut part = |part: &str, x, channels, kernel: usize| {
        let name = format!("{name}.{part}");
        let y = layers.conv(&name, x, channels, kernel, ConvAttrs::same(kernel / 2))?;
        layers.relu(&format!("{name}_activation"), y)
    };
    let squeezed = part("squeeze", x, squeezed, 1)?;
    let narrow = part("expand1x1", squeezed, expanded, 1)?;
    let wide = part("expand3x3", squeezed, expanded, 3)?;
    layers.graph.node(name, Op::Concat, &[narrow, wide])
}
