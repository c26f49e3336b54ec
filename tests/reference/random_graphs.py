"""Random networks of the operations that transformers and their relatives are made of, read and explained by saligate.

usage: random_graphs.py SALIGATE FOLDER [--seeds FIRST LAST]    (committed table: docs/import.md)

Needs exports-requirements.txt. For every seed, a network of three to nine random operations is made in PyTorch, exported, and
compared on one picture of 12 x 12 random bytes:

  scores    `saligate predict` with ONNX Runtime on the same file
  gradient  `saligate explain` with autograd in float64, which is compared with finite differences in float64

Networks whose scores are not finite, or above 1e4, are drawn again. A seed fails where a score is off by more than 1e-4 of the largest
(at least of 1), or a gradient by an angle of more than 1e-4, or where saligate refuses the file. Files of failed seeds stay in FOLDER.
Where PyTorch itself, in float32, is further from its float64 than a hundredth of that, in scores or gradient, a network is
ill-conditioned: such seeds are counted apart, and show nothing.
"""

import argparse
import copy
import json
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

SIDE = 12
CLASSES = 4
FAR = 1e-4


class Step(nn.Module):
    """One operation, with its parameters."""

    def __init__(self, name: str, run, **parameters: Tensor) -> None:
        super().__init__()
        self.name, self.run = name, run
        for key, value in parameters.items():
            self.register_parameter(key, nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x, self)


def drawn(rng, *shape: int, spread: float = 0.5) -> Tensor:
    return torch.from_numpy(rng.normal(0, spread, shape)).float()


def of_any(rng, x: Tensor) -> Step:
    """An operation on values of any shape."""
    power = float(rng.choice([2, 3, 0.5, 1.5, -1]))
    bound = drawn(rng, 1)
    dim = int(rng.integers(1, x.dim()))
    steps = [
        Step("Gelu", lambda x, s: F.gelu(x)),
        Step("Gelu tanh", lambda x, s: F.gelu(x, approximate="tanh")),
        Step("Erf", lambda x, s: torch.erf(x)),
        Step("Elu", lambda x, s: F.elu(x, 0.7)),
        Step("Selu", lambda x, s: F.selu(x)),
        Step("Celu", lambda x, s: F.celu(x, 1.3)),
        Step("Mish", lambda x, s: F.mish(x)),
        Step("Softsign", lambda x, s: F.softsign(x)),
        Step("Tanh", lambda x, s: torch.tanh(x)),
        Step("Abs", lambda x, s: x.abs()),
        Step("Exp", lambda x, s: torch.exp(-x.abs())),
        Step("Log", lambda x, s: torch.log(x * x + 0.5)),
        Step("Sqrt", lambda x, s: torch.sqrt(x * x + 0.1)),
        Step("Pow", lambda x, s: (x * x + 0.3) ** power),
        Step("Div", lambda x, s: x / (x * x + 0.7)),
        Step("Max", lambda x, s: torch.maximum(x, s.bound), bound=bound),
        Step("Min", lambda x, s: torch.minimum(x * s.bound, x), bound=bound),
        Step("Softmax", lambda x, s: torch.softmax(x * 2, dim)),
        Step("LogSoftmax", lambda x, s: torch.log_softmax(x, dim)),
        Step("ReduceMean", lambda x, s: x - x.mean(dim, keepdim=True)),
        Step("ReduceMax", lambda x, s: x - x.amax(dim, keepdim=True)),
        Step("ReduceL2", lambda x, s: x / x.norm(dim=dim, keepdim=True).clamp(min=0.1)),
        Step("Sum", lambda x, s: x + F.gelu(x)),
        Step("Roll", lambda x, s: torch.roll(x, 1, dim)),
    ]
    return steps[rng.integers(len(steps))]


def of_map(rng, x: Tensor) -> Step:
    """An operation on [1, channel, row, column]."""
    channels, side = x.shape[1], x.shape[2]
    wide = int(rng.integers(2, 7))
    groups = max(g for g in (1, 2, 3) if channels % g == 0)
    size = int(rng.choice([side, side + 3, side * 2, max(4, side // 2)]))
    size = min(size, 20)
    modes = [("reflect", 2), ("replicate", 3), ("circular", 1)]
    mode, pad = modes[rng.integers(3)]
    pad = min(pad, side - 1)
    corners = bool(rng.integers(2))
    steps = [
        Step("Conv", lambda x, s: F.conv2d(x, s.w, s.b, padding=1), w=drawn(rng, wide, channels, 3, 3, spread=0.3), b=drawn(rng, wide)),
        Step("Depthwise", lambda x, s: F.conv2d(x, s.w, padding=2, groups=channels), w=drawn(rng, channels, 1, 5, 5, spread=0.3)),
        Step("GroupNorm", lambda x, s: F.group_norm(x, groups, s.w, s.b), w=drawn(rng, channels), b=drawn(rng, channels)),
        Step("InstanceNorm", lambda x, s: F.instance_norm(x, weight=s.w, bias=s.b), w=drawn(rng, channels), b=drawn(rng, channels)),
        Step("PRelu", lambda x, s: F.prelu(x, s.w), w=drawn(rng, channels)),
        Step("Pad", lambda x, s: F.pad(x, (pad, pad, 0, pad), mode=mode)),
        Step("Resize linear", lambda x, s: F.interpolate(x, (size, size), mode="bilinear", align_corners=corners)),
        Step("Resize cubic", lambda x, s: F.interpolate(x, (size, size), mode="bicubic", align_corners=corners)),
        Step("Resize nearest", lambda x, s: F.interpolate(x, scale_factor=2, mode="nearest")),
        Step("MaxPool", lambda x, s: F.max_pool2d(x, 3, 2, 1)),
        Step("LayerNorm last", lambda x, s: F.layer_norm(x.permute(0, 2, 3, 1), (channels,), s.w, s.b).permute(0, 3, 1, 2), w=drawn(rng, channels), b=drawn(rng, channels)),
        Step("Gate", lambda x, s: x * torch.sigmoid(x.mean((2, 3), keepdim=True))),
        Step("Split", lambda x, s: torch.cat([half.tanh() for half in x.chunk(2, 1)] + [x], 1) if channels > 1 else x),
    ]
    return steps[rng.integers(len(steps))]


def of_tokens(rng, x: Tensor) -> Step:
    """An operation on [1, token, feature]."""
    tokens, features = x.shape[1], x.shape[2]
    heads = max(h for h in (1, 2, 3, 4) if features % h == 0)
    wide = int(rng.integers(2, 9))

    def attention(x: Tensor, s: Step) -> Tensor:
        q, k, v = (x @ s.w + s.b).reshape(1, tokens, 3, heads, features // heads).permute(2, 0, 3, 1, 4)
        shares = torch.softmax(q @ k.transpose(-2, -1) * (features // heads) ** -0.5, -1)
        return x + (shares @ v).transpose(1, 2).reshape(1, tokens, features)

    def rms(x: Tensor, s: Step) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * s.w

    steps = [
        Step("Linear", lambda x, s: x @ s.w + s.b, w=drawn(rng, features, wide), b=drawn(rng, wide)),
        Step("LayerNorm", lambda x, s: F.layer_norm(x, (features,), s.w, s.b), w=drawn(rng, features), b=drawn(rng, features)),
        Step("RMSNorm", rms, w=drawn(rng, features)),
        Step("Attention", attention, w=drawn(rng, features, 3 * features, spread=0.3), b=drawn(rng, 3 * features)),
        Step("Class token", lambda x, s: torch.cat([s.w.expand(1, -1, -1), x], 1), w=drawn(rng, 1, 1, features)),
        Step("Positions", lambda x, s: x + s.w, w=drawn(rng, 1, tokens, features)),
        Step("Conv1d", lambda x, s: F.conv1d(x.transpose(1, 2), s.w, padding=1).transpose(1, 2), w=drawn(rng, wide, features, 3, spread=0.3)),
        Step("Product", lambda x, s: x @ (x.transpose(1, 2) @ x) / tokens),
        Step("Einsum", lambda x, s: torch.einsum("bts,bsc->btc", torch.einsum("btc,bsc->bts", x, x) / tokens, x)),
        Step("Mixer", lambda x, s: (x.transpose(1, 2) @ s.w).transpose(1, 2), w=drawn(rng, tokens, wide, spread=0.3)),
        Step("Gated", lambda x, s: torch.cat([part.sigmoid() * part for part in x.chunk(2, -1)], -1)),
    ]
    return steps[rng.integers(len(steps))]


class Network(nn.Module):
    def __init__(self, rng) -> None:
        super().__init__()
        x = torch.rand(1, 3, SIDE, SIDE)
        steps = [Step("Conv", lambda x, s: F.conv2d(x, s.w, padding=1), w=drawn(rng, 6, 3, 3, 3))]
        x = steps[0](x)
        for _ in range(int(rng.integers(3, 10))):
            if x.dim() == 4 and rng.uniform() < 0.25:
                step = Step("Tokens", lambda x, s: x.flatten(2).transpose(1, 2))
            elif rng.uniform() < 0.4:
                step = of_any(rng, x)
            else:
                step = (of_map if x.dim() == 4 else of_tokens)(rng, x)
            x = step(x)
            steps.append(step)
        self.steps = nn.ModuleList(steps)
        self.mean = tuple(range(2, x.dim())) if x.dim() == 4 else (1,)
        features = x.shape[1] if x.dim() == 4 else x.shape[2]
        self.head = nn.Parameter(drawn(rng, features, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return x.mean(self.mean) @ self.head


def network(rng) -> Network:
    while True:
        try:
            net = Network(rng).eval()
        except (RuntimeError, ValueError, ZeroDivisionError):
            continue
        with torch.no_grad():
            scores = net(torch.rand(1, 3, SIDE, SIDE))
        if scores.isfinite().all() and scores.abs().max() < 1e4:
            return net


def slope_of(net: Network, image: Tensor) -> tuple[Tensor, Tensor]:
    image = image.clone().requires_grad_()
    scores = net(image)
    return scores.detach().double(), torch.autograd.grad(scores[0, 1], image)[0].double()


def is_ill_conditioned(net: Network, image: Tensor) -> bool:
    scores, slope = slope_of(net, image)
    exact, wanted = slope_of(copy.deepcopy(net).double(), image.double())
    sizes = wanted.norm() * slope.norm()
    far = (scores - exact).abs().max() / exact.abs().max().clamp(min=1)
    turned = 1 - (slope * wanted).sum() / sizes if sizes > 0 else float(wanted.norm() > 0)
    return not (far < FAR / 100 and turned < FAR / 100 and wanted.norm() > 1e-6)


def check(saligate: str, folder: Path, seed: int) -> tuple[str, Network]:
    """Empty where all is well, or what is not."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    net = network(rng)
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    model, picture, array = folder / f"{seed}.onnx", folder / "picture.png", folder / "slope.npy"
    Image.fromarray(pixels).save(picture)
    image = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
    try:
        torch.onnx.export(net, (image,), model, opset_version=20, dynamo=False, input_names=["x"], output_names=["y"])
    except Exception as error:  # PyTorch cannot export all of its operations.
        return f"export: {str(error)[:80]}", net
    if is_ill_conditioned(net, image):
        return "ill-conditioned", net
    try:
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
        wanted = session.run(None, {"x": image.numpy()})[0][0]
    except Exception as error:
        return f"ONNX Runtime: {str(error)[:80]}", net
    run = [saligate, "explain", str(model), str(picture), "--method", "gradient", "--class", "1", "--attribution", str(array), "--json"]
    done = subprocess.run(run, capture_output=True, text=True)
    if done.returncode != 0:
        return f"refused: {done.stderr.strip()[-200:]}", net
    done = subprocess.run([saligate, "predict", str(model), str(picture), "--top", str(CLASSES), "--json"], capture_output=True, text=True)
    classes = json.loads(done.stdout)["classes"]
    found = np.zeros(CLASSES)
    for row in classes:
        found[row["class"]] = row["logit"]
    off = np.abs(found - wanted).max() / max(1, np.abs(wanted).max())
    if not off < FAR:
        return f"scores: off by {off:.1e}", net
    double = net.double()
    exact = image.double().requires_grad_()
    (slope,) = torch.autograd.grad(double(exact)[0, 1], exact)
    way = torch.from_numpy(rng.normal(0, 1, exact.shape))
    step = 1e-5
    with torch.no_grad():
        rise = (double(exact + step * way) - double(exact - step * way))[0, 1] / (2 * step)
    along = (slope * way).sum()
    # A kink on the way is seen by no slope.
    if abs(rise - along) > 1e-3 * max(abs(along), slope.norm()):
        return "kink", net
    own, size = np.load(array).astype(np.float64), slope.numpy()[0]
    cosine = (own * size).sum() / (np.linalg.norm(own) * np.linalg.norm(size))
    if not 1 - cosine < FAR:
        return f"gradient: {1 - cosine:.1e}", net
    return "", net


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("saligate")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 2000))
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    args.folder.mkdir(parents=True, exist_ok=True)
    outcomes, steps, failed = Counter(), Counter(), 0
    for seed in range(*args.seeds):
        said, net = check(args.saligate, args.folder, seed)
        kind = said.split(":")[0] or "right"
        outcomes[kind] += 1
        if kind == "right":
            steps.update(step.name for step in net.steps)
        if kind in ("right", "kink", "export", "ill-conditioned", "ONNX Runtime"):
            (args.folder / f"{seed}.onnx").unlink(missing_ok=True)
        else:
            failed += 1
            print(f"seed {seed}: {said}: {', '.join(step.name for step in net.steps)}", flush=True)
    print(dict(outcomes))
    print("operations in networks that are right:", dict(sorted(steps.items())))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
