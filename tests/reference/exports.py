"""Classifiers of torchvision, timm and zoo.py, exported by both exporters of PyTorch, read and explained by saligate.

usage: exports.py SALIGATE FOLDER [--net NAME ...] [--exporter script|dynamo ...] [--opset N ...]

SALIGATE is the program (target/release/saligate). Needs exports-requirements.txt; no network access: all weights are random,
with seed 0, and running statistics of batch norms are drawn as well. For every network and exporter, FOLDER gets

  NET.EXPORTER.OPSET.onnx    what PyTorch exports, with a dynamic batch
  NET.EXPORTER.OPSET.model   what `saligate import` makes of it (an ONNX file as well)

and one row of the table of docs/import.md is printed. Cells hold the largest difference over the largest value, and one minus the
cosine:

  logits    ONNX Runtime on the model file, from ONNX Runtime on PyTorch's file
  gradient  `saligate explain`, from autograd in float64; beside it the gradient of autograd in float32
  grad-cam  `saligate explain`, from autograd in float64 at the same layer: of all tensors of PyTorch's run the one that is what ONNX
            Runtime gives for that name in PyTorch's file
"""

import argparse
import contextlib
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import timm
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from zoo import CLASSES, CifarResNet, LeNet

OWN = {"lenet5": LeNet, "resnet20": lambda: CifarResNet(3), "resnet56": lambda: CifarResNet(9)}
TORCHVISION = ["alexnet", "vgg11", "vgg16", "vgg11_bn", "resnet18", "resnet34", "resnet50", "squeezenet1_1", "mobilenet_v2"]
TORCHVISION += ["mobilenet_v3_small", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "shufflenet_v2_x1_0"]
TORCHVISION += ["mnasnet1_0", "regnet_y_400mf", "resnext50_32x4d", "wide_resnet50_2"]
TIMM = ["timm/resnet26d", "timm/mobilenetv3_large_100", "timm/efficientnet_lite0", "timm/ghostnet_100", "timm/hardcorenas_a"]
TIMM += ["timm/repvgg_a0", "timm/darknet53", "timm/cspresnet50", "timm/dpn68", "timm/legacy_seresnet18", "timm/resnest14d"]
# With attention, layer norms, GELU or other operations beyond those of plain convolutional networks.
ATTENTION = ["swin_t", "swin_v2_t", "maxvit_t"]
ATTENTION += [f"timm/{name}" for name in """
    vit_tiny_patch16_224 deit3_small_patch16_224 swin_tiny_patch4_window7_224 convnext_atto convnextv2_atto mobilevit_xxs
    mobilevitv2_050 efficientformer_l1 efficientvit_b0 repvit_m0_9 levit_128s fastvit_t8 inception_next_atto poolformer_s12
    edgenext_xx_small coatnet_nano_rw_224 cait_xxs24_224 pvt_v2_b0 twins_pcpvt_small xcit_nano_12_p16_224 crossvit_tiny_240
    davit_tiny focalnet_tiny_srf gcvit_xxtiny tiny_vit_5m_224 pit_ti_224 convit_tiny nest_tiny visformer_tiny
""".split()]
# One or two of every other family of timm, small ones.
MORE = ["resnet101", "densenet169", "efficientnet_v2_s", "vit_b_32", "convnext_tiny"]
MORE += [f"timm/{name}" for name in """
    resnet10t seresnext26d_32x4d ecaresnet26t skresnet18 res2net50_26w_4s hrnet_w18_small dla34 vovnet39a ese_vovnet19b_dw
    selecsls42b mixnet_s tinynet_e fbnetc_100 spnasnet_100 lcnet_050 mobilenetv4_conv_small mobilenetv4_hybrid_medium mobileone_s0
    ghostnetv2_100 semnasnet_075 efficientnet_es rexnet_100 gernet_s hgnetv2_b0 starnet_s1 fasternet_t0 mambaout_femto mixer_s32_224
    resmlp_12_224 gmlp_ti16_224 deit_tiny_distilled_patch16_224 beit_base_patch16_224 eva02_tiny_patch14_224 volo_d1_224 hiera_tiny_224
    efficientvit_m0 efficientformerv2_s0 repghostnet_050 inception_v4 botnet26t_256 halonet26t lambda_resnet26t coat_lite_tiny
    poolformerv2_s12 caformer_s18 convformer_s18 tnt_s_patch16_224 twins_svt_small nextvit_small swiftformer_xs
    vit_relpos_small_patch16_224 regnety_002 resnetv2_50 convmixer_768_32 xception41 nf_regnet_b0 cs3darknet_s gcresnet33ts mvitv2_tiny
    shvit_s1 rdnet_tiny
""".split()]
# The oldest operations with which PyTorch exports attention, layer norms and mirrored borders.
ATTENTION_OPSET = 17


def build(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name in OWN:
        net = OWN[name]()
    elif name.startswith("timm/"):
        net = timm.create_model(name.removeprefix("timm/"), pretrained=False, num_classes=CLASSES)
    else:
        more = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
        net = torchvision.models.get_model(name, weights=None, num_classes=CLASSES, **more)
    draws = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2, generator=draws)
            module.running_var.uniform_(0.5, 1.5, generator=draws)
        # Heads that begin as zeros give scores of zeros.
        if isinstance(module, nn.Linear) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.02, generator=draws)
    return net.eval()


def image_of(name: str) -> tuple[int, int]:
    """Channels, and rows and columns."""
    sizes = {"lenet5": (1, 28), "resnet20": (3, 32), "resnet56": (3, 32), "inception_v3": (3, 299)}
    sizes |= {"timm/crossvit_tiny_240": (3, 240), "timm/botnet26t_256": (3, 256), "timm/halonet26t": (3, 256)}
    sizes |= {"timm/lambda_resnet26t": (3, 256)}
    return sizes.get(name, (3, 224))


def pixel_flags(channels: int) -> tuple[str, str]:
    """Mean and deviation."""
    return ("0.5", "0.25") if channels == 1 else ("0.485,0.456,0.406", "0.229,0.224,0.225")


def planes(text: str) -> np.ndarray:
    return np.array([float(v) for v in text.split(",")], np.float32).reshape(-1, 1, 1)


def export(net: nn.Module, channels: int, size: int, exporter: str, opset: int, path: Path) -> None:
    image = torch.zeros(2, channels, size, size)
    common = {"input_names": ["input"], "output_names": ["output"], "opset_version": opset}
    if exporter == "dynamo":
        shapes = {net.forward.__code__.co_varnames[1]: {0: torch.export.Dim("batch")}}
        torch.onnx.export(net, (image,), path, dynamo=True, dynamic_shapes=shapes, verbose=False, **common)
    else:
        torch.onnx.export(net, (image,), path, dynamo=False, dynamic_axes={"input": {0: "batch"}}, **common)


def closeness(found: np.ndarray, expected: np.ndarray) -> str:
    assert found.shape == expected.shape, f"{found.shape} for {expected.shape}"
    a, b = found.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    turned = max(1 - a @ b / np.sqrt((a @ a) * (b @ b)), 0)
    return f"{np.abs(a - b).max() / np.abs(b).max():.0e}, {turned:.0e}"


def gradient(net: nn.Module, pixels: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    mean, std = (torch.from_numpy(planes(text)).to(dtype) for text in pixel_flags(pixels.shape[1]))
    image = torch.from_numpy(pixels).to(dtype).requires_grad_()
    logits: Tensor = net.to(dtype)((image - mean) / std)
    (found,) = torch.autograd.grad(logits[0].max(), image)
    return found.numpy()


class Recorder(TorchFunctionMode):
    """Keeps the results of all functions of PyTorch that run inside."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and result.dim() > 2 and result.requires_grad:
            self.seen.append(result)
        return result


def layer_of(source: Path, name: str, feeds: dict[str, np.ndarray]) -> np.ndarray:
    """A value inside PyTorch's file."""
    model = onnx.load(source)
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], feeds)[0]


def grad_cam(net: nn.Module, pixels: np.ndarray, wanted: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[1, row, column] of the layer with these values, whose axes are [channel, row, column], or with the channels last, or
    [token, channel] with the patches at the end."""
    mean, std = (torch.from_numpy(planes(text)).double() for text in pixel_flags(pixels.shape[1]))
    with Recorder() as recorder:
        logits = net.double()((torch.from_numpy(pixels).double().requires_grad_() - mean) / std)
    fits = [t for t in recorder.seen if tuple(t.shape) == wanted.shape]
    far = [np.abs(t.detach().numpy() - wanted).max() / np.abs(wanted).max() for t in fits]
    assert far and min(far) < 1e-3, f"no tensor of PyTorch is this layer, of {len(fits)} with its shape"
    layer = fits[int(np.argmin(far))]
    (slope,) = torch.autograd.grad(logits[0].max(), layer)
    pair = [t.detach()[0] for t in (layer, slope)]
    rows, columns = size
    if pair[0].dim() == 2:
        pair = [t[-rows * columns :].T.reshape(-1, rows, columns) for t in pair]
    elif tuple(pair[0].shape[:2]) == size and tuple(pair[0].shape[1:]) != size:
        pair = [t.permute(2, 0, 1) for t in pair]
    features, slope = pair
    return (features * slope.mean((1, 2), keepdim=True)).sum(0).clamp(min=0).numpy()[None]


def ort(path: Path, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds)))


def run(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[0])
    return done.stdout


def row(program: Path, folder: Path, name: str, exporter: str, opset: int) -> list[str]:
    stem = f"{name.replace('/', '-')}.{exporter}.{opset}"
    source, model = folder / f"{stem}.onnx", folder / f"{stem}.model"
    net, (channels, size) = build(name), image_of(name)
    mean, std = pixel_flags(channels)
    bytes_ = np.random.default_rng(0).integers(0, 256, (size, size, channels), dtype=np.uint8)
    picture = folder / f"{size}.png"
    Image.fromarray(bytes_[..., 0] if channels == 1 else bytes_).save(picture)
    pixels = (bytes_.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            export(net, channels, size, exporter, opset, source)
    except torch.onnx.errors.OnnxExporterError as error:
        return [str(opset), f"not exported: {str(error).splitlines()[0]}"]
    found_opset = str(next(o.version for o in onnx.load(source, load_external_data=False).opset_import if not o.domain))
    start = time.perf_counter()
    try:
        made = json.loads(run(program, "import", source, "-o", model, "--mean", mean, "--std", std, "--json"))
    except RuntimeError as error:
        return [found_opset, str(error).split(": ", 2)[-1].split("; supported")[0]]
    seconds = time.perf_counter() - start
    before = ort(source, {"input": (pixels - planes(mean)) / planes(std)})["output"]
    after = ort(model, {"image": pixels, "target": np.zeros((1, CLASSES), np.float32)})
    raw = folder / f"{stem}.npy"
    cells = [found_opset, f"{seconds:.1f}", closeness(after['logits'], before)]
    run(program, "explain", model, picture, "--method", "gradient", "--attribution", raw)
    single, double = (gradient(net, pixels, dtype) for dtype in (torch.float32, torch.float64))
    cells += [closeness(np.load(raw)[None], double), closeness(single, double)]
    outputs = {method["name"]: method["output"] for method in made["methods"]}
    if "grad-cam" in outputs:
        said = run(program, "explain", model, picture, "--method", "grad-cam", "--attribution", raw, "--json")
        layer, found = json.loads(said)["layers"][0].removeprefix("own/"), np.load(raw)
        try:
            values = layer_of(source, layer, {"input": (pixels - planes(mean)) / planes(std)})
            cells.append(closeness(found, grad_cam(net, pixels, values, found.shape[1:])))
        except Exception as error:
            cells.append(f"at {layer}: {str(error).splitlines()[0][:60]}")
    else:
        cells.append("no")
    cells.append("yes" if "vbp" in outputs else "no")
    return cells


def main() -> None:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("saligate", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--net", nargs="+", default=[*OWN, *TORCHVISION, *TIMM, *ATTENTION, *MORE])
    parser.add_argument("--exporter", nargs="+", default=["script", "dynamo"], choices=["script", "dynamo"])
    parser.add_argument("--opset", nargs="+", type=int, default=[13, 20])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    print("| network | exporter | opset | import, s | logits | gradient | the same of PyTorch in f32 | Grad-CAM | VisualBackProp |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in args.net:
        for exporter, opset in zip(args.exporter, args.opset):
            newest = max(opset, ATTENTION_OPSET) if name in [*ATTENTION, *MORE] else opset
            cells = row(args.saligate, args.folder, name, exporter, newest)
            print(f"| {name} | {exporter} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
