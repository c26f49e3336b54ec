//! The input of a classifier.

use super::super::OnnxError;
use super::super::node::Operand;
use super::super::proto::{self, DimensionValue, data_type};
use super::super::view::View;
use super::builder::Builder;
use super::order::Order;

/// Shape of the one image that the network takes.
pub(super) struct ImageShape {
    /// Images at once, as the file has it.
    pub(super) batch: usize,
    /// Channels, rows and columns.
    pub(super) size: [usize; 3],
    /// Whether the file has the channels behind rows and columns.
    pub(super) channels_last: bool,
}

/// The one input that the outputs need.
pub(super) fn needed(
    source: &proto::Graph,
    order: &Order,
    outputs: &[String],
) -> Result<proto::ValueInfo, OnnxError> {
    let initialized: std::collections::HashSet<&str> =
        source.initializer.iter().map(|t| t.name.as_str()).collect();
    let open = |input: &&proto::ValueInfo| {
        (order.is_used(&input.name) || outputs.contains(&input.name))
            && !initialized.contains(input.name.as_str())
    };
    let inputs: Vec<&proto::ValueInfo> = source.input.iter().filter(open).collect();
    match inputs.as_slice() {
        [one] => Ok((*one).clone()),
        several => {
            let found = several.iter().take(20).map(|input| input.name.clone()).collect();
            Err(OnnxError::Inputs { found })
        }
    }
}

/// A shape whose axes behind the batch are all fixed.
pub(super) fn fixed(info: &proto::ValueInfo) -> Result<Vec<usize>, OnnxError> {
    let axes = axes(info, &[data_type::FLOAT])?;
    let rest = axes.iter().skip(1).enumerate().map(|(position, axis)| {
        axis.length.ok_or_else(|| axis.open(info, &format!("axis {}", position + 1)))
    });
    std::iter::once(Ok(1)).chain(rest).collect()
}

/// Whether the input holds bytes, of which a white pixel has 255.
pub(super) fn is_bytes(info: &proto::ValueInfo) -> bool {
    let tensor = info.kind.as_ref().and_then(|t| t.tensor.as_ref());
    tensor.is_some_and(|tensor| tensor.elem_type == data_type::UINT8)
}

/// Channels that the first convolution reads of an input, where its weight is stored.
pub(super) fn channels_by_weight(source: &proto::Graph, input: &str) -> Option<usize> {
    let node = source.node.iter().find(|node| {
        node.op_type == "Conv" && node.input.first().is_some_and(|name| name == input)
    })?;
    let weight = source.initializer.iter().find(|t| Some(&t.name) == node.input.get(1))?;
    let groups = node.attribute.iter().find(|a| a.name == "group").map_or(1, |a| a.i);
    let channels = weight.dims.get(1)?.checked_mul(groups)?;
    usize::try_from(channels).ok().filter(|channels| [1, 3].contains(channels))
}

/// The shape of an image input; `size` gives rows and columns that the file leaves open, `weighted`
/// channels.
pub(super) fn shape(
    info: &proto::ValueInfo,
    size: Option<[usize; 2]>,
    weighted: Option<usize>,
) -> Result<ImageShape, OnnxError> {
    use data_type::{BFLOAT16, DOUBLE, FLOAT, FLOAT16, UINT8};
    let axes = axes(info, &[FLOAT, FLOAT16, BFLOAT16, DOUBLE, UINT8])?;
    let [batch, a, b, c] = axes.as_slice() else {
        return Err(bad(info, format!("has {} axes; an image has four", axes.len())));
    };
    let is_colour = |axis: &Axis| matches!(axis.length, Some(1 | 3));
    let channels_last = !is_colour(a) && is_colour(c);
    let [channels, rows, columns] = if channels_last { [c, a, b] } else { [a, b, c] };
    let given = |axis: &Axis, position: usize, what: &str| match (axis.length, size) {
        (Some(length), Some(size)) if size[position] != length => {
            Err(bad(info, format!("has {length} {what}, not {}", size[position])))
        }
        (Some(length), _) => Ok(length),
        (None, Some(size)) => Ok(size[position]),
        (None, None) => Err(axis.open(info, what)),
    };
    let channels = channels.length.or(weighted).ok_or_else(|| channels.open(info, "channels"))?;
    Ok(ImageShape {
        batch: batch.length.unwrap_or(1),
        size: [channels, given(rows, 0, "rows")?, given(columns, 1, "columns")?],
        channels_last,
    })
}

/// The input in the graph, `[1, channel, row, column]`, as the file's nodes see it.
pub(super) fn place(
    b: &mut Builder,
    info: &proto::ValueInfo,
    shape: &ImageShape,
) -> Result<Operand, OnnxError> {
    let [channels, rows, columns] = shape.size;
    let name = b.name(&info.name, "image");
    let id = b.graph.input(&name, &[1, channels, rows, columns])?;
    let turned = View::of(&b.graph, id).transposed(&[0, 2, 3, 1]);
    match turned.filter(|_| shape.channels_last) {
        Some(view) => Ok(Operand::View(view.named(&format!("{name}/turned")))),
        None => Ok(Operand::Value(id)),
    }
}

struct Axis {
    length: Option<usize>,
    symbol: String,
}

impl Axis {
    fn open(&self, info: &proto::ValueInfo, what: &str) -> OnnxError {
        let symbol = match self.symbol.as_str() {
            "" => String::new(),
            symbol => format!(" ('{symbol}')"),
        };
        OnnxError::Open { name: info.name.clone(), what: format!("{what}{symbol}") }
    }
}

fn bad(info: &proto::ValueInfo, reason: String) -> OnnxError {
    OnnxError::Input { name: info.name.clone(), reason }
}

fn axes(info: &proto::ValueInfo, types: &[i32]) -> Result<Vec<Axis>, OnnxError> {
    let tensor = info.kind.as_ref().and_then(|t| t.tensor.as_ref());
    let tensor = tensor.ok_or_else(|| bad(info, "is no tensor".to_owned()))?;
    if !types.contains(&tensor.elem_type) {
        return Err(bad(info, format!("has element type {}, not floats", tensor.elem_type)));
    }
    let dims = tensor.shape.as_ref().map(|s| s.dim.as_slice()).unwrap_or_default();
    let axis = |(position, dim): (usize, &proto::Dimension)| match &dim.value {
        Some(DimensionValue::Size(size)) if *size > 0 => {
            let length = usize::try_from(*size).ok();
            Ok(Axis { length, symbol: String::new() })
        }
        Some(DimensionValue::Size(size @ ..-1)) => {
            Err(bad(info, format!("has a negative axis {position}: {size}")))
        }
        Some(DimensionValue::Symbol(symbol)) => {
            let symbol = symbol.chars().filter(|c| !c.is_control()).take(100).collect();
            Ok(Axis { length: None, symbol })
        }
        _ => Ok(Axis { length: None, symbol: String::new() }),
    };
    dims.iter().enumerate().map(axis).collect()
}
