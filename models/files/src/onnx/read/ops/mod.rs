//! What each operation of a file becomes.

mod activation;
mod arithmetic;
mod axes;
mod layout;
mod linear;
mod norm;
mod pool;
mod product;
pub(super) mod quantized;
mod reduce;
mod resize;
mod sides;
pub(super) mod softmax;

use super::super::OnnxError;
use super::super::constant::is_foldable;
use super::super::node::{Node, Operand};
use super::super::proto;
use super::builder::Builder;
use saligate_models::graph::Op;

/// The operations that are read, by ONNX name, besides those that are done on constants only.
pub(in super::super) const SUPPORTED: &[&str] = &[
    "Abs",
    "Add",
    "ArgMax+OneHot",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "CastLike",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GroupNormalization",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "InstanceNormalization",
    "LRN",
    "LayerNormalization",
    "LeakyRelu",
    "Log",
    "LogSoftmax",
    "LpNormalization",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "QGemm",
    "QLinearAdd",
    "QLinearAveragePool",
    "QLinearConcat",
    "QLinearConv",
    "QLinearGlobalAveragePool",
    "QLinearLeakyRelu",
    "QLinearMatMul",
    "QLinearMul",
    "QLinearSigmoid",
    "QuantizeLinear",
    "RMSNormalization",
    "Reciprocal",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "ReduceSumSquare",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Selu",
    "Shape",
    "Sigmoid",
    "Sign",
    "Size",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Sum",
    "Tanh",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Upsample",
];

/// Whether this is an operation on quantized numbers that ONNX Runtime adds to the standard.
pub(super) fn is_quantized(node: &proto::Node) -> bool {
    node.domain == "com.microsoft" && node.op_type.starts_with('Q')
}

/// Whether the rule of an operation computes constants itself.
pub(super) fn reads_constants(op: &str) -> bool {
    ["BatchNormalization", "DequantizeLinear", "QuantizeLinear"].contains(&op)
}

/// Appends the operation of a node; its results, in order.
pub(super) fn read(b: &mut Builder, node: &Node<'_>) -> Result<Vec<Operand>, OnnxError> {
    if let Some(Operand::Softmax(scores)) = node.operands.first().cloned().flatten()
        && reduce::keeps_softmax(node)
    {
        return Ok(vec![Operand::Softmax(scores)]);
    }
    let one = match node.op() {
        "Split" => return layout::split(b, node),
        "Relu" | "LeakyRelu" | "HardSwish" | "Softplus" | "Sign" | "Round" | "Exp" | "Log"
        | "Erf" | "Sqrt" | "Reciprocal" => activation::plain(b, node),
        "Sigmoid" | "HardSigmoid" => activation::sigmoid(b, node),
        "Clip" => activation::clip(b, node),
        "PRelu" => activation::prelu(b, node),
        "Tanh" => activation::tanh(b, node),
        "Mish" => activation::mish(b, node),
        "QuantizeLinear" => quantized::quantize(b, node),
        "DequantizeLinear" => quantized::dequantize(b, node),
        "QLinearConv" => quantized::conv(b, node),
        "QLinearMatMul" => quantized::mat_mul(b, node),
        "QGemm" => quantized::gemm(b, node),
        "QLinearAdd" => quantized::pair(b, node, Op::Add),
        "QLinearMul" => quantized::pair(b, node, Op::Mul),
        "QLinearConcat" => quantized::concat(b, node),
        "QLinearGlobalAveragePool"
        | "QLinearAveragePool"
        | "QLinearLeakyRelu"
        | "QLinearSigmoid" => quantized::single(b, node),
        "Pow" => activation::power(b, node),
        "Abs" => activation::absolute(b, node),
        "Elu" | "Selu" | "Celu" => activation::exponential(b, node),
        "Gelu" => activation::gelu(b, node),
        "Softsign" => activation::softsign(b, node),
        "LayerNormalization" | "RMSNormalization" => norm::layer(b, node),
        "InstanceNormalization" => norm::instance(b, node),
        "GroupNormalization" => norm::group(b, node),
        "LRN" => norm::local_response(b, node),
        "LpNormalization" => norm::euclidean(b, node),
        "Add" => arithmetic::add(b, node),
        "Sub" => arithmetic::sub(b, node),
        "Mul" => arithmetic::mul(b, node),
        "Div" => arithmetic::div(b, node),
        "Neg" => arithmetic::neg(b, node),
        "Sum" => arithmetic::sum(b, node),
        "Max" | "Min" => arithmetic::bound(b, node),
        "Conv" => linear::conv(b, node),
        "ConvTranspose" => linear::conv_transpose(b, node),
        "Gemm" => linear::gemm(b, node),
        "MatMul" => product::mat_mul(b, node),
        "Einsum" => product::einsum(b, node),
        "BatchNormalization" => linear::batch_norm(b, node),
        "MaxPool" => pool::max(b, node),
        "AveragePool" => pool::average(b, node),
        "GlobalAveragePool" => pool::global_average(b, node),
        "GlobalMaxPool" => pool::global_max(b, node),
        "ReduceMax" => reduce::max(b, node),
        "ReduceMin" => reduce::min(b, node),
        "ReduceSumSquare" | "ReduceL2" => reduce::squares(b, node),
        "ReduceMean" => reduce::mean(b, node),
        "ReduceSum" => reduce::sum(b, node),
        "ArgMax" => reduce::arg_max(b, node),
        "OneHot" => reduce::one_hot(b, node),
        "Softmax" | "LogSoftmax" => reduce::softmax(b, node),
        "Identity" | "Cast" | "CastLike" | "Dropout" => layout::same(b, node),
        "Tile" => layout::tile(b, node),
        "Expand" => layout::expand(b, node),
        "Concat" => layout::concat(b, node),
        "Flatten" => layout::flatten(b, node),
        "Reshape" => layout::reshape(b, node),
        "Squeeze" => layout::squeeze(b, node),
        "Unsqueeze" => layout::unsqueeze(b, node),
        "Transpose" => layout::transpose(b, node),
        "Pad" => layout::pad(b, node),
        "Slice" => layout::slice(b, node),
        "Gather" => layout::gather(b, node),
        "DepthToSpace" => resize::depth_to_space(b, node),
        "Resize" | "Upsample" => resize::resize(b, node),
        "Shape" => layout::shape(b, node),
        "Size" => layout::size(b, node),
        op if is_foldable(op) => Err(node.error("is supported for constants only")),
        op => {
            Err(OnnxError::Unsupported { node: node.source.label().to_owned(), op: op.to_owned() })
        }
    };
    one.map(|operand| vec![operand])
}
