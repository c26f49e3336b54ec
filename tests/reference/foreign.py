"""Small classifiers as other programs write them, with what ONNX Runtime answers.

usage: foreign.py OUT.safetensors [KERAS_DIR]

Needs exports-requirements.txt. KERAS_DIR holds ONNX files of tf2onnx (foreign_keras.py). Committed:
tests/reference/foreign.safetensors. Tensors, for every CASE:

  CASE.onnx    the bytes of the file
  CASE.image   [1, channel, row, column], or [1, row, column, channel] where the file takes that
  CASE.logits  [1, class], as ONNX Runtime computes them; logits also where the file ends with a softmax

Cases op.* are single operations, made by hand. Cases torch.* are networks of PyTorch: torch.NET.EXPORTER.OPSET.
"""

import io
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from torch import nn

draws = np.random.default_rng(0)
cases: dict[str, tuple[bytes, np.ndarray, np.ndarray]] = {}


def numbers(*shape: int) -> np.ndarray:
    return draws.uniform(-1, 1, shape).astype(np.float32)


def ort(model: bytes, image: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: image})[0]


def keep(name: str, model: bytes, image: np.ndarray) -> None:
    logits = ort(model, image)
    assert np.isfinite(logits).all() and logits[:1].any(), name
    cases[name] = (model, image[:1].astype(np.float32), logits[:1].astype(np.float32))


class Maker:
    """A graph under construction: nodes in a row, constants beside them."""

    def __init__(self, opset: int, shape: list, dtype: int = TensorProto.FLOAT) -> None:
        self.opset, self.shape, self.dtype = opset, shape, dtype
        self.nodes, self.constants, self.count = [], [], 0

    def const(self, value: np.ndarray, node: bool = False, name: str = "") -> str:
        self.count += 1
        name = name or f"c{self.count}"
        if node:
            self.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value)))
        else:
            self.constants.append(numpy_helper.from_array(value, name))
        return name

    def ints(self, *values: int) -> str:
        return self.const(np.array(values, np.int64))

    def op(self, kind: str, *operands: str, **attributes: object) -> str:
        return self.ops(kind, 1, *operands, **attributes)[0]

    def ops(self, kind: str, results: int, *operands: str, **attributes: object) -> list[str]:
        self.count += 1
        names = [f"v{self.count}.{i}" for i in range(results)]
        self.nodes.append(helper.make_node(kind, operands, names, name=f"{kind}_{self.count}", **attributes))
        return names

    def bytes(self, output: str) -> bytes:
        image = helper.make_tensor_value_info("x", self.dtype, self.shape)
        logits = helper.make_tensor_value_info(output, self.dtype, None)
        graph = helper.make_graph(self.nodes, "g", [image], [logits], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return model.SerializeToString()


def case(name: str, make, opset: int = 17, shape: tuple = (1, 4, 6, 5), dynamic: bool = False, flat: bool = True) -> None:
    """`make(maker, "x")` gives the value whose elements are the scores, from a convolution to the channels of `shape`.

    Where the file fixes a larger batch, its first image counts."""
    batch, channels = shape[:2]
    maker = Maker(opset, ["n" if dynamic else batch, 3, *shape[2:]])
    x = "x"
    if channels != 3:
        x = maker.op("Conv", "x", maker.const(numbers(channels, 3, 1, 1)), maker.const(numbers(channels)))
    result = make(maker, x)
    result = maker.op("Flatten", result) if flat else result
    keep(f"op.{name}", maker.bytes(result), numbers(batch, 3, *shape[2:]))


def convolutions() -> None:
    for name, attributes in {
        "plain": {},
        "pads": {"pads": [2, 0, 1, 1]},
        "stride": {"strides": [2, 1], "pads": [1, 1, 1, 1]},
        "dilation": {"dilations": [2, 1], "pads": [2, 1, 2, 1]},
        "same_upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
        "same_lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        "valid": {"auto_pad": "VALID"},
        "kernel_shape": {"kernel_shape": [3, 3]},
    }.items():
        case(f"conv-{name}", lambda m, x: m.op("Conv", x, m.const(numbers(2, 4, 3, 3)), m.const(numbers(2)), **attributes))
    case("conv-groups", lambda m, x: m.op("Conv", x, m.const(numbers(6, 2, 3, 2)), group=2))
    case("conv-depthwise", lambda m, x: m.op("Conv", x, m.const(numbers(4, 1, 3, 3), node=True), group=4))
    for name, attributes in {
        "plain": {},
        "stride": {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        "groups": {"group": 2},
    }.items():
        inner = 1 if name == "groups" else 2
        case(f"conv_transpose-{name}", lambda m, x: m.op("ConvTranspose", x, m.const(numbers(4, inner, 3, 3)), **attributes))
    case("batch_norm", lambda m, x: m.op("BatchNormalization", x, *(m.const(numbers(4) + s) for s in (0, 0, 0, 2)), epsilon=1e-3))
    case("batch_norm-after-conv", lambda m, x: m.op("BatchNormalization", m.op("Conv", x, m.const(numbers(4, 4, 1, 1))), *(m.const(numbers(4) + s) for s in (0, 0, 0, 2))))
    case("batch_norm-row", lambda m, x: m.op("BatchNormalization", m.op("Flatten", x), *(m.const(numbers(120) + s) for s in (0, 0, 0, 2))))


def pools() -> None:
    for kind in ("MaxPool", "AveragePool"):
        for name, attributes in {
            "plain": {"kernel_shape": [2, 2]},
            "stride": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]},
            "ceil": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
            "ceil-pads": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
            "same": {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        }.items():
            case(f"{kind.lower()}-{name}", lambda m, x: m.op(kind, x, **attributes))
    case("averagepool-include", lambda m, x: m.op("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1))
    case("globalaveragepool", lambda m, x: m.op("GlobalAveragePool", x))
    case("globalmaxpool", lambda m, x: m.op("GlobalMaxPool", x))


def dense() -> None:
    flat = lambda m, x: m.op("Flatten", m.op("GlobalAveragePool", x))
    case("gemm", lambda m, x: m.op("Gemm", flat(m, x), m.const(numbers(4, 5)), m.const(numbers(5))), flat=False)
    case("gemm-turned", lambda m, x: m.op("Gemm", flat(m, x), m.const(numbers(5, 4)), transB=1), flat=False)
    case("gemm-scaled", lambda m, x: m.op("Gemm", flat(m, x), m.const(numbers(4, 5)), m.const(numbers(1, 5)), alpha=0.5, beta=2.0), flat=False)
    case("gemm-scalar-bias", lambda m, x: m.op("Gemm", flat(m, x), m.const(numbers(4, 5)), m.const(numbers(1))), flat=False)
    case("matmul", lambda m, x: m.op("Add", m.op("MatMul", flat(m, x), m.const(numbers(4, 5))), m.const(numbers(5))), flat=False)
    case("matmul-bias-first", lambda m, x: m.op("Add", m.const(numbers(5)), m.op("MatMul", flat(m, x), m.const(numbers(4, 5)))), flat=False)
    case("softmax", lambda m, x: flat(m, x), flat=False)
    for kind in ("Softmax", "LogSoftmax"):
        maker = Maker(17, [1, 3, 4, 4])
        scores = maker.op("Gemm", flat(maker, "x"), maker.const(numbers(3, 5)), maker.const(numbers(5)))
        image, plain = numbers(1, 3, 4, 4), maker.bytes(scores)
        model = maker.bytes(maker.op(kind, scores, axis=-1))
        cases[f"op.ends-with-{kind.lower()}"] = (model, image, ort(plain, image))
    del cases["op.softmax"]


def elements() -> None:
    for kind in ("Relu", "Sigmoid", "Tanh", "HardSwish", "Softplus", "Neg", "Identity"):
        case(kind.lower(), lambda m, x: m.op(kind, x))
    case("leakyrelu", lambda m, x: m.op("LeakyRelu", x))
    case("leakyrelu-alpha", lambda m, x: m.op("LeakyRelu", x, alpha=0.3))
    case("prelu", lambda m, x: m.op("PRelu", x, m.const(numbers(4, 1, 1))))
    case("prelu-one", lambda m, x: m.op("PRelu", x, m.const(np.array([0.2], np.float32))))
    case("hardsigmoid", lambda m, x: m.op("HardSigmoid", x))
    case("hardsigmoid-torch", lambda m, x: m.op("HardSigmoid", x, alpha=1 / 6))
    case("silu", lambda m, x: m.op("Mul", x, m.op("Sigmoid", x)))
    case("silu-other-order", lambda m, x: m.op("Mul", m.op("Sigmoid", x), x))
    case("hardswish-composed", lambda m, x: m.op("Mul", x, m.op("HardSigmoid", x, alpha=1 / 6)))
    scalar = lambda m, v: m.const(np.array(v, np.float32))
    case("hardswish-by-hand", lambda m, x: m.op("Div", m.op("Mul", x, m.op("Clip", m.op("Add", x, scalar(m, 3)), scalar(m, 0), scalar(m, 6))), scalar(m, 6)))
    case("clip", lambda m, x: m.op("Clip", x, scalar(m, -0.25), scalar(m, 0.5)))
    case("clip-low", lambda m, x: m.op("Clip", x, scalar(m, 0)))
    case("clip-high", lambda m, x: m.op("Clip", x, "", scalar(m, 0.5)))
    case("max", lambda m, x: m.op("Max", x, scalar(m, 0.1)))
    case("min", lambda m, x: m.op("Min", x, scalar(m, 0.1)))
    case("add-mul-constants", lambda m, x: m.op("Mul", m.op("Add", x, m.const(numbers(1, 4, 1, 1))), m.const(numbers(4, 1, 1))))
    case("constant-minus", lambda m, x: m.op("Sub", m.const(numbers(1)), x))
    case("div", lambda m, x: m.op("Div", x, m.const(numbers(1, 4, 1, 1) + 2)))
    case("residual", lambda m, x: m.op("Add", x, m.op("Relu", x)))
    case("sub", lambda m, x: m.op("Sub", x, m.op("Relu", x)))
    case("sum", lambda m, x: m.op("Sum", x, m.op("Relu", x), m.op("Sigmoid", x)))
    case("squeeze-excite", lambda m, x: m.op("Mul", x, m.op("Sigmoid", m.op("GlobalAveragePool", x))))


def shapes() -> None:
    case("reducemean-13", lambda m, x: m.op("ReduceMean", x, axes=[2, 3], keepdims=0), opset=13)
    case("reducemean-18", lambda m, x: m.op("ReduceMean", x, m.ints(-1, -2), keepdims=1), opset=18)
    case("reducesum", lambda m, x: m.op("ReduceSum", x, m.ints(2, 3), keepdims=0))
    case("reducemax", lambda m, x: m.op("ReduceMax", x, axes=[2, 3], keepdims=1))
    case("reshape", lambda m, x: m.op("Reshape", x, m.ints(0, -1)), flat=False)
    case("reshape-dynamic", dynamic_reshape, dynamic=True, flat=False)
    case("squeeze", lambda m, x: m.op("Squeeze", m.op("GlobalAveragePool", x), m.ints(2, 3)), flat=False)
    case("unsqueeze", lambda m, x: m.op("Unsqueeze", m.op("Squeeze", m.op("GlobalAveragePool", x), m.ints(2, 3)), m.ints(2, 3)))
    case("transpose-and-back", lambda m, x: m.op("Transpose", m.op("Relu", m.op("Transpose", x, perm=[0, 2, 3, 1])), perm=[0, 3, 1, 2]))
    case("transpose-flat", lambda m, x: m.op("Transpose", x, perm=[0, 2, 3, 1]))
    case("transpose-dense", lambda m, x: m.op("Gemm", m.op("Flatten", m.op("Transpose", x, perm=[0, 2, 3, 1])), m.const(numbers(120, 3))), flat=False)
    case("shuffle", shuffle)
    case("pad", lambda m, x: m.op("Pad", x, m.ints(0, 0, 1, 2, 0, 0, 0, 1), m.const(np.array(0.5, np.float32))))
    case("pad-channels", lambda m, x: m.op("Pad", x, m.ints(0, 1, 0, 0, 0, 2, 0, 0)))
    case("slice", lambda m, x: m.op("Slice", x, m.ints(1, -4), m.ints(2**62, -1), m.ints(1, 2)))
    case("slice-step", lambda m, x: m.op("Slice", x, m.ints(1), m.ints(6), m.ints(3), m.ints(2)))
    case("split", lambda m, x: m.op("Concat", *reversed(m.ops("Split", 2, x, axis=1)), axis=1))
    case("split-sizes", lambda m, x: m.op("Concat", *reversed(m.ops("Split", 2, x, m.ints(1, 3), axis=1)), axis=-3))
    case("split-18", lambda m, x: m.op("Concat", *reversed(m.ops("Split", 2, x, axis=1, num_outputs=2)), axis=1), opset=18)
    case("gather-one", lambda m, x: m.op("Gather", x, m.const(np.array(2, np.int64)), axis=1))
    case("concat-constant", lambda m, x: m.op("Concat", x, m.const(numbers(1, 2, 6, 5)), axis=1))
    case("expand", lambda m, x: m.op("Mul", x, m.op("Expand", m.op("GlobalAveragePool", x), m.ints(1, 4, 6, 5))))
    case("resize", lambda m, x: m.op("Resize", x, "", m.const(np.array([1, 1, 2, 2], np.float32)), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
    case("depth_to_space", lambda m, x: m.op("DepthToSpace", x, blocksize=2))
    case("depth_to_space-crd", lambda m, x: m.op("DepthToSpace", x, blocksize=2, mode="CRD"))
    case("flatten-2", lambda m, x: m.op("Flatten", m.op("Transpose", m.op("GlobalAveragePool", x), perm=[0, 2, 3, 1]), axis=3))
    case("dropout", lambda m, x: m.op("Dropout", x))
    half = lambda m, x: m.op("Cast", m.op("Relu", m.op("Cast", x, to=TensorProto.FLOAT16)), to=TensorProto.FLOAT)
    case("cast", half)


def pitfalls() -> None:
    """What a reader gets wrong who is in a hurry."""
    case("batch-fixed", lambda m, x: m.op("Reshape", x, m.ints(2, -1)), shape=(2, 4, 6, 5), flat=False)
    case("batch-fixed-dense", lambda m, x: m.op("MatMul", m.op("Reshape", x, m.ints(2, -1)), m.const(numbers(120, 3))), shape=(2, 4, 6, 5), flat=False)
    case("batch-fixed-shuffle", fixed_shuffle, shape=(2, 4, 6, 5))
    case("names-like-derived-ones", derived_names, flat=False)
    case("names-like-written-ones", written_names)
    case("squeeze-all-then-sigmoid", lambda m, x: m.op("Unsqueeze", m.op("Sigmoid", m.op("Squeeze", m.op("GlobalAveragePool", x))), m.ints(0)), flat=False)
    case("max-of-higher-rank", lambda m, x: m.op("Max", m.op("Flatten", x), m.const(np.full((1, 1, 1), 0.1, np.float32))))
    case("clip-infinite", lambda m, x: m.op("Clip", x, m.const(np.array(0.1, np.float32)), m.const(np.array(np.inf, np.float32))))
    case("resize-sizes", lambda m, x: m.op("Resize", x, "", "", m.ints(1, 4, 12, 10), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
    case("one-hot", one_hot, flat=False)


def one_hot(m: Maker, x: str) -> str:
    scores = m.op("Flatten", m.op("GlobalAveragePool", x))
    best = m.op("ArgMax", scores, axis=1, keepdims=0)
    hot = m.op("OneHot", best, m.const(np.array(4, np.int64)), m.const(np.array([0, 1], np.float32)), axis=-1)
    return m.op("Mul", scores, hot)


def fixed_shuffle(m: Maker, x: str) -> str:
    x = m.op("Transpose", m.op("Reshape", x, m.ints(2, 2, -1, 6, 5)), perm=[0, 2, 1, 3, 4])
    return m.op("Conv", m.op("Reshape", x, m.ints(2, 4, 6, 5)), m.const(numbers(3, 4, 1, 1)))


def derived_names(m: Maker, x: str) -> str:
    """Constants whose names are those that a reader may give to a reshaped, an inverted and a turned one."""
    row = m.op("Flatten", m.op("GlobalAveragePool", x))
    row = m.op("Add", row, m.const(numbers(4), name="b"))
    row = m.op("Add", row, m.const(numbers(1, 4), name="b.1x4"))
    row = m.op("Div", row, m.const(numbers(4) + 2, name="s"))
    row = m.op("Mul", row, m.const(numbers(4), name="s.reciprocal"))
    row = m.op("Gemm", row, m.const(numbers(4, 4), name="w"))
    return m.op("Gemm", row, m.const(numbers(4, 4), name="w.turned.times1"), transB=1)


def written_names(m: Maker, x: str) -> str:
    """Values whose names are those that a writer may give to what it needs besides."""
    m.nodes.append(helper.make_node("Relu", [x], ["floats/0/6"]))
    m.nodes.append(helper.make_node("Sigmoid", ["floats/0/6"], ["s"]))
    m.nodes.append(helper.make_node("Mul", ["floats/0/6", "s"], ["v"]))
    m.nodes.append(helper.make_node("Neg", ["v"], ["v/sigmoid"]))
    clipped = m.op("Clip", "v/sigmoid", m.const(np.array(-6, np.float32)), m.const(np.array(6, np.float32)))
    return m.op("Sub", clipped, "v")


def dynamic_reshape(m: Maker, x: str) -> str:
    batch = m.op("Gather", m.op("Shape", x), m.const(np.array(0, np.int64), node=True), axis=0)
    rows = m.op("Unsqueeze", batch, m.ints(0))
    return m.op("Reshape", x, m.op("Concat", rows, m.ints(-1), axis=0))


def shuffle(m: Maker, x: str) -> str:
    x = m.op("Reshape", x, m.ints(1, 2, 2, 6, 5))
    x = m.op("Transpose", x, perm=[0, 2, 1, 3, 4])
    return m.op("Reshape", x, m.ints(1, 4, 6, 5))


def types() -> None:
    for name, dtype, numpy_type in (("double", TensorProto.DOUBLE, np.float64), ("half", TensorProto.FLOAT16, np.float16)):
        maker = Maker(17, [1, 3, 4, 4], dtype)
        y = maker.op("MatMul", maker.op("Flatten", "x"), maker.const(numbers(48, 5).astype(numpy_type)))
        keep(f"op.type-{name}", maker.bytes(y), numbers(1, 3, 4, 4).astype(np.float16).astype(numpy_type))


class Net(nn.Module):
    """What exporters write in many ways: views of open batches, squeeze-and-excite, chunks, padding, interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, padding="same", groups=8), nn.BatchNorm2d(8), nn.ReLU6())
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 4, 1), nn.SiLU(), nn.Conv2d(4, 8, 1), nn.Hardsigmoid())
        self.grouped, self.act = nn.Conv2d(8, 8, 3, 1, 1, groups=2, padding_mode="zeros"), nn.PReLU(8)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.head = nn.Sequential(nn.Linear(8 * 2 * 2, 16), nn.Tanh(), nn.Dropout(), nn.Linear(16, 5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.depthwise(x) * self.squeeze(x)
        a, b = x.chunk(2, 1)
        x = torch.cat([b, a, nn.functional.leaky_relu(self.grouped(x), 0.1)[:, 2:6]], 1)[:, ::1][:, :8]
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        x = self.pool(self.act(nn.functional.pad(x, (0, 1, 0, 1))))
        x = nn.functional.avg_pool2d(x, 2)
        return self.head(x.flatten(1))


class Wide(nn.Module):
    """Dilated and transposed convolutions, sizes kept by interpolation, a mean over pixels and a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, padding=2, dilation=2), nn.ConvTranspose2d(6, 4, 2, 2)
        self.norm, self.last = nn.BatchNorm2d(4), nn.Conv2d(4, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu(self.a(x))
        x = nn.functional.avg_pool2d(x, 2, 2, count_include_pad=False)
        x = self.norm(self.b(x)) * 0.5 + 1.5
        return self.last(nn.functional.interpolate(x, scale_factor=2, mode="nearest")).mean((2, 3))


def torch_nets() -> None:
    for name, make in (("net", Net), ("wide", Wide)):
        torch.manual_seed(0)
        net = make().train()
        for _ in range(3):
            net(torch.randn(4, 3, 14, 14))
        net.eval()
        image = torch.rand(2, 3, 14, 14)
        common = {"input_names": ["image"], "output_names": ["logits"], "verbose": False}
        for opset in (13, 15, 17, 20):
            out = io.BytesIO()
            torch.onnx.export(net, (image,), out, dynamo=False, dynamic_axes={"image": {0: "n"}}, opset_version=opset, **common)
            keep(f"torch.{name}.script.{opset}", out.getvalue(), image[:1].numpy())
        for opset in (18, 20):
            shapes = {"x": {0: torch.export.Dim("n")}}
            program = torch.onnx.export(net, (image,), dynamo=True, dynamic_shapes=shapes, opset_version=opset, **common)
            model = program.model_proto
            for node in model.graph.node:  # the exporter notes where its files lie on this machine
                del node.metadata_props[:]
            keep(f"torch.{name}.dynamo.{opset}", model.SerializeToString(), image[:1].numpy())


def keras(folder: Path) -> None:
    for path in sorted(folder.glob("*.onnx")):
        model = onnx.load(path)
        axes = [axis.dim_value or 1 for axis in model.graph.input[0].type.tensor_type.shape.dim]
        image = numbers(*axes)
        scores = next(node for node in model.graph.node if node.op_type == "Softmax").input[0]
        bare = onnx.load(path)
        bare.graph.output[0].name = scores
        cases[f"keras.{path.stem}"] = (model.SerializeToString(), image, ort(bare.SerializeToString(), image))


def main() -> None:
    warnings.filterwarnings("ignore")
    for part in (convolutions, pools, dense, elements, shapes, pitfalls, types, torch_nets):
        part()
    for folder in sys.argv[2:]:
        keras(Path(folder))
    tensors = {}
    for name, (model, image, logits) in cases.items():
        tensors |= {f"{name}.onnx": np.frombuffer(model, np.uint8), f"{name}.image": image, f"{name}.logits": logits}
    save_file(tensors, sys.argv[1])
    print(f"{len(cases)} cases, {sum(t.nbytes for t in tensors.values()) / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
