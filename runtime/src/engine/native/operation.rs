//! What each value of a graph is: one operation over other values, and its epilogue.

use std::collections::HashMap;
use std::sync::Arc;

use saligate_kernels::{Moves, Pooling, Window};
use saligate_models::calculus::{RuleSite, find_adjoints, find_rules};
use saligate_models::graph::{ConvAttrs, Graph, Op, PoolAttrs, Source, ValueId};
use saligate_models::names::TARGET;

use super::epilogue::Epilogue;
use super::node::{Kind, Linear, PoolWindow, Weights};

/// Longest step of a convolution: the transpose of one has as many phases as its square. Others are
/// computed by plain loops.
const LONGEST_STRIDE: usize = 32;
/// Widest border of zeros that a convolution may ask for; others are computed by plain loops.
const WIDEST_HALO: usize = 16;
/// Pixels of a small map with its border: larger ones may grow by a factor of 16.
const MOST_GROWN: usize = 1024;

/// The bounds of a Relu.
const POSITIVE: [f32; 2] = [0.0, f32::INFINITY];

/// What a value is, over other values of the graph.
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) inputs: Vec<ValueId>,
    pub(super) epilogue: Epilogue<ValueId>,
}

impl Operation {
    fn new(kind: Kind, inputs: Vec<ValueId>) -> Self {
        Self { kind, inputs, epilogue: Epilogue::NOTHING }
    }

    /// Nothing but an epilogue of a value.
    fn element_wise(value: ValueId, epilogue: Epilogue<ValueId>) -> Self {
        Self { epilogue, ..Self::new(Kind::Epilogue, vec![value]) }
    }

    pub(super) fn operands(&self) -> impl Iterator<Item = ValueId> {
        self.inputs.iter().copied().chain(self.epilogue.operands())
    }
}

pub(super) struct Reader<'a> {
    graph: &'a Graph,
    values: Vec<ValueId>,
    rules: HashMap<ValueId, RuleSite>,
    adjoints: HashMap<ValueId, RuleSite>,
    /// Position of each input; the target is the second one, whether there is a first one or not.
    inputs: HashMap<ValueId, usize>,
    /// The first of equal nodes, for every node.
    first: Vec<ValueId>,
    /// How many operands and outputs each value is.
    uses: Vec<usize>,
    /// Whether the weights are to change, and must stay as they are.
    learns: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(graph: &'a Graph, learns: bool) -> Self {
        let wanted = |op: &Op| {
            matches!(
                op,
                Op::MaxPool(_)
                    | Op::AveragePool(_)
                    | Op::GlobalAveragePool
                    | Op::Clip { .. }
                    | Op::Concat
            )
        };
        let rules = find_rules(graph, wanted).into_iter().map(|found| (found.outgoing, found));
        Self {
            graph,
            values: graph.values().map(|(id, _)| id).collect(),
            rules: rules.collect(),
            adjoints: find_adjoints(graph)
                .into_iter()
                .map(|found| (found.outgoing, found))
                .collect(),
            inputs: graph
                .inputs()
                .enumerate()
                .map(|(at, (id, value))| (id, if value.name == TARGET { at.max(1) } else { at }))
                .collect(),
            first: graph.first_of_equals(),
            uses: uses(graph),
            learns,
        }
    }

    pub(super) fn value(&self, index: usize) -> (ValueId, Vec<usize>) {
        let id = self.values[index];
        (id, self.graph.shape(id).to_vec())
    }

    /// What the outputs need, by the index of the value.
    pub(super) fn needed(&self) -> Vec<Option<Operation>> {
        let mut wanted = vec![false; self.values.len()];
        self.graph.outputs().iter().for_each(|o| wanted[o.index()] = true);
        let mut operations: Vec<Option<Operation>> = wanted.iter().map(|_| None).collect();
        for index in (0..self.values.len()).rev() {
            if !wanted[index] {
                continue;
            }
            let mut operation = self.operation(self.values[index]);
            let first = |id: ValueId| self.first[id.index()];
            operation.inputs.iter_mut().for_each(|id| *id = first(*id));
            operation.epilogue = operation.epilogue.map(first);
            operation.operands().for_each(|o| wanted[o.index()] = true);
            operations[index] = Some(operation);
        }
        operations
    }

    /// All that is computed is for one image at a time.
    pub(super) fn check_batches(&self, operations: &[Option<Operation>]) -> Result<(), String> {
        for (index, operation) in operations.iter().enumerate() {
            let (id, shape) = self.value(index);
            let computed = operation.as_ref().is_some_and(|m| !matches!(m.kind, Kind::Constant(_)));
            if computed && shape.first() != Some(&1) {
                let name = &self.graph.value(id).name;
                return Err(format!("'{name}' is no batch of one, but {shape:?}"));
            }
        }
        Ok(())
    }

    fn shape(&self, id: ValueId) -> &'a [usize] {
        self.graph.shape(id)
    }

    fn param(&self, id: ValueId) -> Option<&'a Arc<[f32]>> {
        match &self.graph.value(id).source {
            Source::Param(data) => Some(data),
            _ => None,
        }
    }

    fn node(&self, id: ValueId) -> Option<(&'a Op, &'a [ValueId])> {
        match &self.graph.value(id).source {
            Source::Node { op, operands } => Some((op, operands)),
            _ => None,
        }
    }

    fn operation(&self, id: ValueId) -> Operation {
        if let Some(operation) = self.rules.get(&id).and_then(|found| self.rule(found)) {
            return operation;
        }
        if let Some(operation) = self.adjoints.get(&id).and_then(|found| self.adjoint(found)) {
            return operation;
        }
        match &self.graph.value(id).source {
            Source::Input => Operation::new(Kind::Input(self.inputs[&id]), vec![]),
            Source::Param(data) => Operation::new(Kind::Constant(Arc::clone(data)), vec![]),
            Source::Node { op, operands } => self.of_node(id, op, operands),
        }
    }

    fn rule(&self, site: &RuleSite) -> Option<Operation> {
        let g = site.incoming;
        let (op, operands) = self.node(site.node)?;
        let operation = match op {
            Op::MaxPool(attrs) => {
                let kind = Kind::PoolBack(pool_window(Pooling::Max, attrs));
                Operation::new(kind, vec![g, operands[0], site.node])
            }
            Op::AveragePool(attrs) => {
                Operation::new(Kind::PoolBack(pool_window(Pooling::Average, attrs)), vec![g])
            }
            Op::GlobalAveragePool => {
                let &[_, _, rows, columns] = self.shape(operands[0]) else { return None };
                Operation::new(Kind::Spread(1.0 / (rows * columns) as f32), vec![g])
            }
            Op::Clip { low, high } => {
                Operation::element_wise(g, Epilogue::masking(site.node, [*low, *high]))
            }
            Op::Concat if self.shape(g).len() == 4 => {
                let before = &operands[..site.position];
                let start = before.iter().map(|&o| self.shape(o)[1]).sum();
                Operation::new(Kind::Channels(start), vec![g])
            }
            _ => return None,
        };
        Some(operation)
    }

    fn adjoint(&self, site: &RuleSite) -> Option<Operation> {
        let (Op::MaxPool(attrs), operands) = self.node(site.node)? else { return None };
        let kind = Kind::PoolGather(pool_window(Pooling::Max, attrs));
        Some(Operation::new(kind, vec![site.incoming, operands[0], site.node]))
    }

    fn of_node(&self, id: ValueId, op: &Op, operands: &[ValueId]) -> Operation {
        // Sums and products read what they compute first.
        let exchanged = match (op, operands) {
            (Op::Add | Op::Mul, &[a, b]) if self.param(a).is_some() && self.param(b).is_none() => {
                Some([b, a])
            }
            _ => None,
        };
        let operands = exchanged.as_ref().map_or(operands, |exchanged| exchanged);
        if let Some(biased) = self.biased(id, op, operands) {
            return biased;
        }
        let same = |i: usize| self.shape(operands[i]) == self.shape(id);
        let is_image = self.shape(id).len() == 4;
        match op {
            Op::Conv(attrs) => {
                let linear = self.linear(attrs, operands, [operands[0], id], false);
                linear.unwrap_or_else(|| plain(op, operands))
            }
            Op::ConvTranspose { conv, .. } if is_image && self.sets_apart(conv, operands) => self
                .moves(operands[0], id, |axis, at| {
                    let stride = [1, conv.stride[0], conv.stride[1]][axis];
                    let at = at + [0, conv.pads[0], conv.pads[1]][axis];
                    at.is_multiple_of(stride).then_some(at / stride)
                }),
            Op::ConvTranspose { conv, .. } => {
                let patches = self.patches(conv, operands, id);
                let linear = || self.linear(conv, operands, [operands[0], id], true);
                patches.or_else(linear).unwrap_or_else(|| plain(op, operands))
            }
            Op::Gemm { transposed } => {
                self.dense(*transposed, operands).unwrap_or_else(|| plain(op, operands))
            }
            Op::MatMul => {
                let sides = [0, 1].map(|side| self.exchanged(operands[side]));
                let inputs = sides.iter().map(|(matrix, _)| *matrix).collect();
                Operation::new(Kind::Product(sides.map(|(_, exchanged)| exchanged)), inputs)
            }
            Op::Relu => Operation::element_wise(operands[0], Epilogue::bounding(POSITIVE)),
            Op::Clip { low, high } => {
                Operation::element_wise(operands[0], Epilogue::bounding([*low, *high]))
            }
            Op::Add if same(0) && same(1) && operands[0] != operands[1] => {
                Operation::element_wise(operands[0], Epilogue::adding(operands[1]))
            }
            Op::Mul if same(0) && same(1) => match self.relu_behind_sign(operands[1]) {
                Some(relu) => {
                    Operation::element_wise(operands[0], Epilogue::masking(relu, POSITIVE))
                }
                None => Operation::new(Kind::Zip(op.clone()), operands.to_vec()),
            },
            Op::Sub | Op::Add | Op::Mul
                if is_image && same(0) && self.per_channel(operands[1], id).is_some() =>
            {
                let values = self.per_channel(operands[1], id).unwrap_or_default();
                let (shift, factor) = match op {
                    Op::Mul => (vec![0.0; values.len()], values.to_vec()),
                    Op::Sub => (values.iter().map(|v| -v).collect(), vec![1.0; values.len()]),
                    _ => (values.to_vec(), vec![1.0; values.len()]),
                };
                Operation::new(Kind::Scale { shift, factor }, vec![operands[0]])
            }
            Op::Sub | Op::Add | Op::Mul if same(0) && self.number(operands[1]).is_some() => {
                let number = self.number(operands[1]).unwrap_or_default();
                let (factor, shift) = match op {
                    Op::Mul => (number, 0.0),
                    Op::Sub => (1.0, -number),
                    _ => (1.0, number),
                };
                Operation::new(Kind::Affine { factor, shift }, vec![operands[0]])
            }
            Op::Sub if same(1) && self.number(operands[0]).is_some() => {
                let shift = self.number(operands[0]).unwrap_or_default();
                Operation::new(Kind::Affine { factor: -1.0, shift }, vec![operands[1]])
            }
            Op::Sub | Op::Add if same(0) && same(1) => {
                Operation::new(Kind::Zip(op.clone()), operands.to_vec())
            }
            Op::LeakyRelu { .. }
            | Op::Silu
            | Op::HardSigmoid { .. }
            | Op::HardSwish
            | Op::Softplus { .. }
            | Op::Sigmoid { .. }
            | Op::Sign
            | Op::Hat { .. }
            | Op::Round
            | Op::Exp
            | Op::Log
            | Op::Power { .. }
            | Op::Erf => Operation::new(Kind::Each(op.clone()), operands.to_vec()),
            Op::Slice { ranges } if is_image => self.moves(operands[0], id, |axis, at| {
                Some(ranges[axis].start + at * ranges[axis].step)
            }),
            Op::Pad { pads, value: 0.0 } if is_image => {
                self.moves(operands[0], id, |axis, at| at.checked_sub(pads[axis][0]))
            }
            Op::MaxPool(attrs) => {
                Operation::new(Kind::Pool(pool_window(Pooling::Max, attrs)), operands.to_vec())
            }
            Op::AveragePool(attrs) => {
                Operation::new(Kind::Pool(pool_window(Pooling::Average, attrs)), operands.to_vec())
            }
            Op::GlobalAveragePool => Operation::new(Kind::Mean, operands.to_vec()),
            Op::Concat if is_image => Operation::new(Kind::Concat, operands.to_vec()),
            _ => plain(op, operands),
        }
    }

    /// A convolution without a bias that nothing reads but a sum with a number for each channel: these are
    /// its bias.
    fn biased(&self, id: ValueId, op: &Op, operands: &[ValueId]) -> Option<Operation> {
        let (Op::Add, &[x, bias]) = (op, operands) else { return None };
        let (Op::Conv(attrs), &[from, weight]) = self.node(x)? else { return None };
        let alone = self.uses[x.index()] == 1 && self.shape(x) == self.shape(id);
        self.per_channel(bias, id).filter(|_| alone)?;
        self.linear(attrs, &[from, weight, bias], [from, id], false)
    }

    /// The matrix that this one is, or is with rows and columns exchanged.
    fn exchanged(&self, id: ValueId) -> (ValueId, bool) {
        let (mut matrix, mut exchanged) = (id, false);
        while let Some((Op::Transpose { order }, operands)) = self.node(matrix)
            && order == &[1, 3, 2]
        {
            (matrix, exchanged) = (operands[0], !exchanged);
        }
        (matrix, exchanged)
    }

    /// The result of a Relu whose sign this is.
    fn relu_behind_sign(&self, id: ValueId) -> Option<ValueId> {
        let (Op::Sign, operands) = self.node(id)? else { return None };
        let (Op::Relu, _) = self.node(operands[0])? else { return None };
        Some(operands[0])
    }

    /// The numbers of a parameter that is one number for each channel of y.
    fn per_channel(&self, id: ValueId, y: ValueId) -> Option<&'a [f32]> {
        let fits = *self.shape(id) == [1, self.shape(y)[1], 1, 1];
        self.param(id).filter(|_| fits).map(|values| &values[..])
    }

    /// The number of a parameter that is one number.
    fn number(&self, id: ValueId) -> Option<f32> {
        self.param(id).filter(|values| values.len() == 1).map(|values| values[0])
    }

    /// Whether a transpose does nothing but set pixels apart, as the way back of a step does.
    fn sets_apart(&self, attrs: &ConvAttrs, operands: &[ValueId]) -> bool {
        let ones = |id: ValueId| self.param(id).is_some_and(|w| w.iter().all(|v| *v == 1.0));
        let &[outputs, per_group, rows, columns] = self.shape(operands[1]) else { return false };
        let single = [per_group, rows, columns] == [1; 3] && attrs.groups == outputs;
        single && operands.len() == 2 && ones(operands[1])
    }

    /// A value whose elements are those of x at an index along each axis, or zeros where there is
    /// none.
    fn moves(
        &self,
        x: ValueId,
        y: ValueId,
        index: impl Fn(usize, usize) -> Option<usize>,
    ) -> Operation {
        let (from, to) = (&self.shape(x)[1..], &self.shape(y)[1..]);
        let along = |axis: usize| {
            let of = |at: usize| index(axis, at).filter(|&at| at < from[axis]);
            (0..to[axis]).map(of).collect()
        };
        let moves = Moves::new(std::array::from_fn(along));
        Operation::new(Kind::Move(Box::new(moves)), vec![x])
    }

    fn dense(&self, transposed: bool, operands: &[ValueId]) -> Option<Operation> {
        let weight = Arc::clone(self.param(operands[1])?);
        let bias = match operands.get(2) {
            Some(&bias) => Some(Arc::clone(self.param(bias)?)),
            None => None,
        };
        (self.shape(operands[0])[0] == 1)
            .then(|| Operation::new(Kind::Dense { weight, bias, transposed }, vec![operands[0]]))
    }

    /// The transpose of a convolution whose windows tile the image.
    fn patches(&self, attrs: &ConvAttrs, operands: &[ValueId], y: ValueId) -> Option<Operation> {
        let &[outputs, channels, block, columns] = self.shape(operands[1]) else { return None };
        let &[_, _, rows, width] = self.shape(operands[0]) else { return None };
        let tiles = ConvAttrs { groups: 1, ..ConvAttrs::same(0) }.with_stride(block);
        let size = [1, channels, rows * block, width * block];
        if self.learns || block < 2 || columns != block || *attrs != tiles || self.shape(y) != size
        {
            return None;
        }
        let weight = self.param(operands[1])?;
        let cells = block * block;
        // By cell and channel in place of channel and cell.
        let of_output = |own: &[f32]| {
            let place = |at: usize| own[at % channels * cells + at / channels];
            (0..own.len()).map(place).collect::<Vec<f32>>()
        };
        let weight: Vec<f32> = weight.chunks_exact(channels * cells).flat_map(of_output).collect();
        debug_assert_eq!(weight.len(), outputs * channels * cells);
        let window = window(&ConvAttrs::same(0), [1, 1]);
        let linear = Linear::new(window, weight.into(), None, true);
        Some(Operation::new(Kind::Patches { linear, block }, vec![operands[0]]))
    }

    fn linear(
        &self,
        attrs: &ConvAttrs,
        operands: &[ValueId],
        [x, y]: [ValueId; 2],
        transposed: bool,
    ) -> Option<Operation> {
        let weight = Arc::clone(self.param(operands[1])?);
        let bias = match operands.get(2) {
            Some(&bias) => Some(Arc::clone(self.param(bias)?)),
            None => None,
        };
        let &[outputs, per_group, rows, columns] = self.shape(operands[1]) else { return None };
        let window = window(attrs, [rows, columns]);
        if attrs.stride.iter().any(|stride| *stride > LONGEST_STRIDE) {
            return None;
        }
        let &[_, channels, h, w] = self.shape(x) else { return None };
        let &[_, shown, height, width] = self.shape(y) else { return None };
        let halo = if transposed {
            window.transposed_halo([h, w], [height, width])
        } else {
            window.halo([h, w], [height, width])
        };
        if halo > WIDEST_HALO || (h + 2 * halo) * (w + 2 * halo) > MOST_GROWN.max(16 * h * w) {
            return None;
        }
        let kind = if attrs.groups == 1 {
            Kind::Conv(Linear::new(window, weight, bias, transposed))
        } else if attrs.groups == outputs && per_group == 1 && channels == shown {
            Kind::Depthwise(Linear::new(window, weight, bias, transposed))
        } else {
            return None;
        };
        Some(Operation::new(kind, vec![x]))
    }
}

impl<K> Linear<K> {
    fn new(
        window: Window,
        weight: Arc<[f32]>,
        bias: Option<Arc<[f32]>>,
        transposed: bool,
    ) -> Box<Self> {
        let weights = Arc::new(Weights::new(weight));
        Box::new(Self {
            window,
            bias,
            transposed,
            unbiased: false,
            sparse: false,
            back_through: None,
            side: None,
            weights,
        })
    }
}

/// How many operands and outputs each value is.
fn uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.values().len()];
    for (_, value) in graph.values() {
        if let Source::Node { operands, .. } = &value.source {
            operands.iter().for_each(|operand| uses[operand.index()] += 1);
        }
    }
    graph.outputs().iter().for_each(|output| uses[output.index()] += 1);
    uses
}

/// The window of a convolution with a kernel of this size.
pub(super) fn window(attrs: &ConvAttrs, kernel: [usize; 2]) -> Window {
    let [top, left, ..] = attrs.pads;
    Window { kernel, stride: attrs.stride, dilation: attrs.dilation, before: [top, left] }
}

fn plain(op: &Op, operands: &[ValueId]) -> Operation {
    Operation::new(Kind::Plain(op.clone()), operands.to_vec())
}

fn pool_window(pooling: Pooling, attrs: &PoolAttrs) -> PoolWindow {
    let [top, left, ..] = attrs.pads;
    PoolWindow { pooling, kernel: attrs.kernel, stride: attrs.stride, before: [top, left] }
}
