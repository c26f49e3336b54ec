//! What the native engine computes: fewer and larger operations than those of a graph.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use saligate_kernels::{Conv, Depthwise, Isa, Link, Map, Moves, Pooling, Window};
use saligate_models::graph::Op;

use super::epilogue::Epilogue;
use super::slope::SlopePart;

/// Position of a node in the list of nodes; operands come before what uses them.
pub(super) type Id = usize;

/// One operation and its epilogue.
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) inputs: Vec<Id>,
    pub(super) epilogue: Epilogue<Id>,
    /// Shape of the result as in the graph, with a batch of one.
    pub(super) shape: Vec<usize>,
}

pub(super) enum Kind {
    /// Given by the caller: 0 is the image, 1 the target, others are those of a training step.
    Input(usize),
    Constant(Arc<[f32]>),
    Conv(Box<Linear<Conv>>),
    Depthwise(Box<Linear<Depthwise>>),
    /// The transpose of a convolution whose windows tile the image by squares of this side: the convolution
    /// to all cells of a square, which are then set apart. It becomes two nodes.
    Patches {
        linear: Box<Linear<Conv>>,
        block: usize,
    },
    Pool(PoolWindow),
    /// Inputs: gradient, and for a maximum operand and result, or the winners.
    PoolBack(PoolWindow),
    /// The transpose of that for a maximum. Inputs: slope, operand and result, or the winners.
    PoolGather(PoolWindow),
    /// Bits that tell which cell of each window is the maximum. They are kept while that is made.
    Winners(PoolWindow),
    /// Bits that tell which elements of the input are strictly between two bounds. They are kept
    /// while that is made.
    Inside([f32; 2]),
    /// Means over rows and columns.
    Mean,
    /// Sum over channels of the first input, each times a number of the second one.
    WeightedSum,
    /// The same number for every pixel of a channel, times this factor.
    Spread(f32),
    /// Channels from this one on.
    Channels(usize),
    Concat,
    /// Nothing but an epilogue.
    Epilogue,
    /// `(x + shift) * factor`, with a shift and a factor for each channel.
    Scale {
        shift: Vec<f32>,
        factor: Vec<f32>,
    },
    /// `factor x + shift`.
    Affine {
        factor: f32,
        shift: f32,
    },
    /// Elements in other places, and zeros.
    Move(Box<Moves>),
    Dense {
        weight: Arc<[f32]>,
        bias: Option<Arc<[f32]>>,
        transposed: bool,
    },
    /// The matrix product of two values, for each, whether rows and columns are exchanged.
    Product([bool; 2]),
    /// An operation on single elements.
    Each(Op),
    /// An operation on pairs of elements of two values of one shape.
    Zip(Op),
    /// Operations on single elements of values of one shape, one after another.
    Chain(Vec<Link>),
    /// An operation on planar values.
    Plain(Op),
    /// The same value in another layout.
    Convert,
    /// A part of the slope of a weight. Inputs: the input of a layer and the slope by its output, or
    /// that slope alone.
    Slope(SlopePart),
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conv(linear) => write!(f, "conv {linear}"),
            Self::Depthwise(linear) => write!(f, "depthwise {linear}"),
            Self::Patches { linear, .. } => write!(f, "patches {linear}"),
            Self::Dense { transposed: true, .. } => f.write_str("dense transposed"),
            Self::Each(op) | Self::Zip(op) | Self::Plain(op) => f.write_str(op.name()),
            Self::Chain(links) => write!(f, "chain of {}", links.len()),
            Self::Product(_) => f.write_str("product of matrices"),
            Self::Input(_) => f.write_str("input"),
            Self::Constant(_) => f.write_str("constant"),
            Self::Pool(_) => f.write_str("pool"),
            Self::PoolBack(_) => f.write_str("pool transposed"),
            Self::PoolGather(_) => f.write_str("pool gathered"),
            Self::Winners(_) => f.write_str("winners"),
            Self::Inside(_) => f.write_str("bits"),
            Self::Mean => f.write_str("mean"),
            Self::WeightedSum => f.write_str("weighted sum"),
            Self::Spread(_) => f.write_str("mean transposed"),
            Self::Channels(_) => f.write_str("channels"),
            Self::Concat => f.write_str("concat"),
            Self::Epilogue => f.write_str("element by element"),
            Self::Scale { .. } | Self::Affine { .. } => f.write_str("scale"),
            Self::Move(_) => f.write_str("move"),
            Self::Dense { .. } => f.write_str("dense"),
            Self::Convert => f.write_str("layout"),
            Self::Slope(part) => write!(f, "slope {part}"),
        }
    }
}

/// A convolution or the transpose of one.
pub(super) struct Linear<K> {
    pub(super) window: Window,
    pub(super) bias: Option<Arc<[f32]>>,
    pub(super) transposed: bool,
    /// Whether the bias is there for other nodes that share the weights.
    pub(super) unbiased: bool,
    /// Whether most channels of the input may be zeros.
    pub(super) sparse: bool,
    /// For the transpose of a convolution whose weights serve this one too: that convolution.
    pub(super) back_through: Option<Id>,
    /// Side of the squares that the result is computed by, if it is.
    pub(super) side: Option<usize>,
    /// Shared between nodes that differ in nothing but their operands.
    pub(super) weights: Arc<Weights<K>>,
}

impl<K> fmt::Display for Linear<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Window { kernel: [rows, columns], stride: [down, across], .. } = self.window;
        write!(f, "{rows}x{columns}")?;
        if [down, across] != [1, 1] {
            write!(f, "/{}", down.max(across))?;
        }
        if self.transposed {
            f.write_str(" transposed")?;
        }
        self.side.map_or(Ok(()), |side| write!(f, ", squares of {side}"))
    }
}

impl Linear<Conv> {
    /// The packed convolution between these maps.
    pub(super) fn conv(&self, isa: Isa, maps: [Map; 2]) -> &Conv {
        let (window, bias) = (&self.window, self.bias.as_deref());
        self.weights.packed(|weight| match self.transposed {
            true => Conv::transposed(isa, window, weight, maps, self.side),
            false => Conv::new(isa, window, weight, bias, maps, self.side),
        })
    }
}

impl Linear<Depthwise> {
    /// The packed convolution between these maps.
    pub(super) fn depthwise(&self, isa: Isa, maps: [Map; 2]) -> &Depthwise {
        let (window, bias) = (&self.window, self.bias.as_deref());
        self.weights.packed(|weight| match self.transposed {
            true => Depthwise::transposed(isa, window, weight, maps),
            false => Depthwise::new(isa, window, weight, bias, maps),
        })
    }
}

/// Weights that are packed when they are first used. The unpacked ones are let go then.
pub(super) struct Weights<K> {
    unpacked: Mutex<Option<Arc<[f32]>>>,
    packed: OnceLock<K>,
}

impl<K> Weights<K> {
    pub(super) fn new(weights: Arc<[f32]>) -> Self {
        Self { unpacked: Mutex::new(Some(weights)), packed: OnceLock::new() }
    }

    /// The packed weights; `pack` makes them.
    pub(super) fn packed(&self, pack: impl FnOnce(&[f32]) -> K) -> &K {
        self.packed.get_or_init(|| {
            let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
            let weights = unpacked.take().expect("weights are packed once");
            pack(&weights)
        })
    }

    /// Where the unpacked weights lie, which tells whether two are the same.
    pub(super) fn address(&self) -> Option<*const f32> {
        let unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        unpacked.as_ref().map(|weights| weights.as_ptr())
    }
}

/// A pooling window.
#[derive(Clone, Copy)]
pub(super) struct PoolWindow {
    pub(super) pooling: Pooling,
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) before: [usize; 2],
}

impl Node {
    /// A node without an epilogue.
    pub(super) fn new(kind: Kind, inputs: Vec<Id>, shape: Vec<usize>) -> Self {
        Self { kind, inputs, epilogue: Epilogue::NOTHING, shape }
    }

    /// All nodes that must be computed before this one.
    pub(super) fn operands(&self) -> impl Iterator<Item = Id> {
        self.inputs.iter().copied().chain(self.epilogue.operands())
    }

    /// Channels, rows and columns; values of other ranks are one row.
    pub(super) fn size(&self) -> [usize; 3] {
        match self.shape[..] {
            [_, channels, rows, columns] => [channels, rows, columns],
            _ => [1, 1, self.shape.iter().product()],
        }
    }

    /// The planar map of the result.
    pub(super) fn planar(&self) -> Map {
        Map::planar(self.size())
    }

    /// Whether an epilogue can be applied to the result while it is made, and its bits recorded.
    pub(super) fn takes_epilogue(&self) -> bool {
        matches!(
            self.kind,
            Kind::Conv(_)
                | Kind::Depthwise(_)
                | Kind::Pool(_)
                | Kind::PoolBack(_)
                | Kind::PoolGather(_)
                | Kind::Spread(_)
                | Kind::Epilogue
        )
    }
}
