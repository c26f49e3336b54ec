r"""Time of one training step with a saliency loss: PyTorch in its best form, and this project.

A step is a forward pass, the gradient of the explained class's score by the pixels, the loss, its
slope by all weights, and AdamW. The loss is the cross-entropy plus the squared difference of the
z-scored gradient map from a fixed one, each the mean over the images, as `saligate-train` has them.
The networks are those of the zoo with random weights, without batch norms (folded) and dropout.

    python3 -m venv target/peers-venv
    target/peers-venv/bin/pip install -r benches/peers/requirements.txt
    target/peers-venv/bin/python benches/peers/training_step.py            # PyTorch alone
    cargo build --release -p saligate-train
    target/peers-venv/bin/python benches/peers/training_step.py \
        --saligate target/release/saligate-train

PyTorch takes the step in four forms, which give the same slopes (this is checked):

    autograd     differentiates its own gradient: `torch.autograd.grad(..., create_graph=True)`
    explicit     the gradient by the pixels is written out with transposed convolutions and masks
    ..., nhwc    the same with weights and images in the memory format `channels_last`

The fastest counts, for each network and number of threads. Forms that are far slower in a trial are
left out. All others and `saligate-train bench` take turns, so that what else the machine does hits
them alike; the table gives medians.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

TINY = 1e-9  # as in train/src/loss
TURNS = 3
# A form is left out if it takes this many times as long as the fastest in the trial.
FAR_SLOWER = 1.5
# Threads of the one before may still be spinning when the next takes its turn.
PAUSE = 0.2


# Layers. `back` is the gradient by what `forward` got last, written with operations that PyTorch
# can differentiate fast.


class Standardize(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.register_buffer("mean", torch.full((1, channels, 1, 1), 0.45))
        self.register_buffer("scale", torch.full((1, channels, 1, 1), 1 / 0.225))

    def forward(self, x):
        return (x - self.mean) * self.scale

    def back(self, g):
        return g * self.scale


class Conv(nn.Conv2d):
    def __init__(self, inner, outer, kernel, stride=1, padding=None, groups=1):
        padding = kernel // 2 if padding is None else padding
        super().__init__(inner, outer, kernel, stride, padding, groups=groups)

    def forward(self, x):
        y = super().forward(x)
        (kernel, _), (stride, _), (padding, _) = self.kernel_size, self.stride, self.padding
        smallest = [(side - 1) * stride - 2 * padding + kernel for side in y.shape[2:]]
        self.rest = [side - least for side, least in zip(x.shape[2:], smallest)]
        return y

    def back(self, g):
        return F.conv_transpose2d(
            g, self.weight, None, self.stride, self.padding, self.rest, self.groups)


class Relu(nn.Module):
    """In place: nothing else reads what it gets."""

    def forward(self, x):
        y = F.relu(x, inplace=True)
        self.kept = y.detach()
        return y

    def back(self, g):
        return torch.ops.aten.threshold_backward(g, self.kept, 0)


class Relu6(nn.Module):
    def forward(self, x):
        y = F.relu6(x, inplace=True)
        self.kept = y.detach()
        return y

    def back(self, g):
        return torch.ops.aten.hardtanh_backward(g, self.kept, 0, 6)


class MaxPool(nn.Module):
    def __init__(self, kernel, stride, ceil_mode=False):
        super().__init__()
        self.how = ([kernel, kernel], [stride, stride], [0, 0], [1, 1], ceil_mode)

    def forward(self, x):
        y, self.winners = F.max_pool2d_with_indices(x, *self.how)
        self.kept = x.detach()
        return y

    def back(self, g):
        return torch.ops.aten.max_pool2d_with_indices_backward(
            g, self.kept, *self.how, self.winners)


class GlobalAverage(nn.Module):
    def forward(self, x):
        self.shape = x.shape
        return x.mean((2, 3))

    def back(self, g):
        _, _, rows, columns = self.shape
        return (g / (rows * columns))[:, :, None, None].expand(self.shape)


class Flatten(nn.Module):
    def forward(self, x):
        self.shape = x.shape
        return x.flatten(1)

    def back(self, g):
        return g.reshape(self.shape)


class Dense(nn.Linear):
    def back(self, g):
        return g @ self.weight


class Chain(nn.Sequential):
    def back(self, g):
        for layer in reversed(self):
            g = layer.back(g)
        return g


class Same(nn.Module):
    def forward(self, x):
        return x

    def back(self, g):
        return g


class Half(nn.Module):
    """The parameter-free shortcut: every second pixel, zeros for the new channels."""

    def __init__(self, added):
        super().__init__()
        self.new = added // 2

    def forward(self, x):
        self.shape = x.shape
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.new, self.new))

    def back(self, g):
        whole = g.new_zeros(self.shape)
        whole[:, :, ::2, ::2] = g[:, self.new:-self.new]
        return whole


class Residual(nn.Module):
    def __init__(self, body, short):
        super().__init__()
        self.body, self.short = body, short

    def forward(self, x):
        return self.body(x) + self.short(x)

    def back(self, g):
        return self.body.back(g) + self.short.back(g)


class Fork(nn.Module):
    """Channels of one layer, then those of another."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        parts = self.first(x), self.second(x)
        self.widths = [part.shape[1] for part in parts]
        return torch.cat(parts, 1)

    def back(self, g):
        first, second = g.split(self.widths, 1)
        return self.first.back(first) + self.second.back(second)


# Networks, as models/src/zoo has them.


def small(channels, classes):
    layers = []
    for width, stride in zip([16, 32, 32, 64], [1, 2, 1, 2]):
        layers += [Conv(channels, width, 3, stride), Relu()]
        channels = width
    head = [Flatten(), Dense(64 * 7 * 7, 128), Relu(), Dense(128, 64), Relu()]
    return Chain(*layers, *head, Dense(64, classes))


def resnet20(channels, classes):
    layers, inner = [Conv(channels, 16, 3), Relu()], 16
    for outer in [16, 32, 64]:
        for number in range(3):
            stride = 2 if number == 0 and outer > 16 else 1
            body = Chain(Conv(inner, outer, 3, stride), Relu(), Conv(outer, outer, 3))
            short = Same() if stride == 1 else Half(outer - inner)
            layers += [Residual(body, short), Relu()]
            inner = outer
    return Chain(*layers, GlobalAverage(), Dense(64, classes))


def vgg11(channels, classes):
    """For images of 32 x 32 pixels, which leave one pixel for the dense layers."""
    layers = []
    for width, depth in zip([64, 128, 256, 512, 512], [1, 1, 2, 2, 2]):
        for _ in range(depth):
            layers += [Conv(channels, width, 3), Relu()]
            channels = width
        layers.append(MaxPool(2, 2))
    head = [Flatten(), Dense(512, 4096), Relu(), Dense(4096, 4096), Relu()]
    return Chain(*layers, *head, Dense(4096, classes))


def squeezenet(channels, classes):
    """SqueezeNet 1.1."""
    layers, inner = [Conv(channels, 64, 3, 2, padding=0), Relu()], 64
    for number, squeezed in enumerate([16, 16, 32, 32, 48, 48, 64, 64]):
        if number in (0, 2, 4):
            layers.append(MaxPool(3, 2, ceil_mode=True))
        outer = 4 * squeezed
        fork = Fork(Conv(squeezed, outer, 1), Conv(squeezed, outer, 3))
        layers += [Conv(inner, squeezed, 1), Relu(), fork, Relu()]
        inner = 2 * outer
    return Chain(*layers, Conv(inner, classes, 1), Relu(), GlobalAverage())


def mobilenet_v2(channels, classes):
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1)]
    layers, inner = [Conv(channels, 32, 3, 2), Relu6()], 32
    for factor, outer, count, first in stages:
        for number in range(count):
            stride, wide = first if number == 0 else 1, factor * inner
            expansion = [] if factor == 1 else [Conv(inner, wide, 1), Relu6()]
            depthwise = [Conv(wide, wide, 3, stride, groups=wide), Relu6()]
            block = Chain(*expansion, *depthwise, Conv(wide, outer, 1))
            residual = stride == 1 and inner == outer
            layers.append(Residual(block, Same()) if residual else block)
            inner = outer
    return Chain(*layers, Conv(inner, 1280, 1), Relu6(), GlobalAverage(), Dense(1280, classes))


# name: constructor, image, classes
NETS = {
    "resnet20": (resnet20, (3, 32, 32), 10),
    "small": (small, (1, 28, 28), 10),
    "vgg11": (vgg11, (3, 32, 32), 10),
    "squeezenet1_1": (squeezenet, (3, 64, 64), 20),
    "mobilenet_v2": (mobilenet_v2, (3, 64, 64), 20),
}


def build(name):
    constructor, (channels, _, _), classes = NETS[name]
    torch.manual_seed(1)
    net = Chain(Standardize(channels), *constructor(channels, classes))
    for module in net.modules():
        if isinstance(module, (Conv, Dense)):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    return net


def z_scored(maps):
    centred = maps - maps.mean(1, keepdim=True)
    variance = (centred * centred).mean(1, keepdim=True)
    return centred / ((variance + TINY * TINY).sqrt() + TINY)


class Step:
    """Training steps of one network in one form, always on the same images."""

    def __init__(self, name, images, explicit, nhwc, dtype):
        _, image, classes = NETS[name]
        form = torch.channels_last if nhwc else torch.contiguous_format
        self.net = build(name).to(dtype=dtype, memory_format=form)
        self.weights = list(self.net.parameters())
        self.optimizer = torch.optim.AdamW(self.weights, lr=1e-5, weight_decay=0.0, fused=True)
        self.images = torch.rand(images, *image).to(dtype=dtype, memory_format=form)
        self.images.requires_grad_(not explicit)
        self.labels = torch.randint(0, classes, (images,))
        self.explained = F.one_hot(self.labels, classes).to(dtype)
        wanted = torch.rand(1, image[1] * image[2]).to(dtype)
        self.wanted = z_scored(wanted).expand(images, -1)
        self.explicit = explicit

    def losses(self):
        """The cross-entropy, and how far the maps are from the wanted ones."""
        logits = self.net(self.images)
        if self.explicit:
            gradient = self.net.back(self.explained)
        else:
            score = (self.explained * logits).sum()
            (gradient,) = torch.autograd.grad(score, self.images, create_graph=True)
        maps = gradient.abs()
        maps = maps.amax(1) if maps.shape[1] > 1 else maps
        difference = z_scored(maps.flatten(1)) - self.wanted
        return F.cross_entropy(logits, self.labels), (difference * difference).mean()

    def milliseconds(self):
        """Takes a step, and says how long it took."""
        start = time.perf_counter()
        loss, distance = self.losses()
        self.optimizer.zero_grad()
        # By the weights only: the slope by the images would be computed for nothing.
        (loss + distance).backward(inputs=self.weights)
        self.optimizer.step()
        return 1000 * (time.perf_counter() - start)


def forms(name, images, dtype=torch.float32):
    return {
        form + (", nhwc" if nhwc else ""): Step(name, images, form == "explicit", nhwc, dtype)
        for form in ("explicit", "autograd") for nhwc in (False, True)
    }


def check(name):
    """All forms must minimize the same; in double precision, where rounding flips no masks."""
    found = {}
    for form, step in forms(name, 2, torch.float64).items():
        loss, distance = step.losses()
        slopes = torch.autograd.grad(distance, step.weights, materialize_grads=True)
        slopes = torch.cat([slope.flatten() for slope in slopes])
        found[form] = torch.stack([loss, distance]).detach(), slopes
    for form, others in found.items():
        pairs = zip(others, found["autograd"])
        off = [float((other - value).norm() / value.norm()) for other, value in pairs]
        if not max(off) < 1e-6:
            sys.exit(f"{name}: the form {form} disagrees with autograd: loss and slopes {off} off")


def saligate(program, name, images, threads, rounds):
    """What `saligate-train bench` measured."""
    asked = {"net": name, "images": images, "threads": threads}
    _, image, classes = NETS[name]
    command = [str(program), "bench", "--rounds", str(rounds), "--json"]
    command += ["--image", "x".join(map(str, image)), "--classes", str(classes)]
    for option, value in asked.items():
        command += [f"--{option}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.strip()}")
    found = json.loads(done.stdout)
    for option, value in asked.items():
        if found[option] != value:
            sys.exit(f"{' '.join(command)}: measured {option} {found[option]}")
    return found


def measure(args, name, threads):
    torch.set_num_threads(threads)
    check(name)
    steps = forms(name, args.images)
    tried = [{form: step.milliseconds() for form, step in steps.items()} for _ in range(3)]
    trial = {form: min(found[form] for found in tried) for form in steps}
    least = min(trial.values())
    kept = [form for form in steps if trial[form] <= FAR_SLOWER * least]
    steps = {form: steps[form] for form in kept}
    times = {form: [] for form in kept}
    ours = []
    turns = min(TURNS, args.rounds)
    for turn in range(turns):
        rounds = args.rounds * (turn + 1) // turns - args.rounds * turn // turns
        for form, step in steps.items():
            # The one before has emptied the caches.
            step.milliseconds()
            times[form] += [step.milliseconds() for _ in range(rounds)]
        if args.saligate:
            time.sleep(PAUSE)
            ours.append(saligate(args.saligate, name, args.images, threads, rounds))
    medians = {form: statistics.median(found) for form, found in times.items()}
    fastest = min(medians, key=medians.get)
    row = {
        "net": name, "images": args.images, "threads": threads, "form": fastest,
        "pytorch_ms": medians[fastest], "pytorch_best_ms": min(times[fastest]),
        "forms_ms": medians,
        "left_out_ms": {form: ms for form, ms in trial.items() if form not in kept},
    }
    if ours:
        row["saligate_ms"] = statistics.median(found["median_ms"] for found in ours)
        row["saligate_best_ms"] = min(found["best_ms"] for found in ours)
        row["saligate_isa"] = ours[0]["isa"]
        row["ratio"] = row["saligate_ms"] / row["pytorch_ms"]
    return row


def instruction_set():
    """The widest vectors that this CPU has."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return platform.machine()
    return next((isa for isa in ("avx512f", "avx2") if isa in flags), platform.machine())


def listed(kind, choices=None):
    def values(text):
        found = [kind(part) for part in text.split(",")]
        unknown = [str(value) for value in found if choices and value not in choices]
        if unknown:
            known = ", ".join(choices)
            raise argparse.ArgumentTypeError(f"no network {', '.join(unknown)}; there are {known}")
        return found
    return values


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", type=listed(str, NETS), default=list(NETS), metavar="A,B",
                        help=f"which networks (default all: {','.join(NETS)})")
    parser.add_argument("--threads", type=listed(positive), default=[1, 2], metavar="N,M",
                        help="numbers of threads, of both (default 1,2)")
    parser.add_argument("--images", type=positive, default=24, help="images per step (default 24)")
    parser.add_argument("--rounds", type=positive, default=15,
                        help=f"steps of each form that count, in {TURNS} turns (default 15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures here")
    parser.add_argument("--saligate", type=Path, metavar="PATH",
                        help="a built saligate-train, to be compared (default: PyTorch alone)")
    args = parser.parse_args()
    if args.saligate:
        args.saligate = args.saligate.resolve()
        if not os.access(args.saligate, os.X_OK):
            parser.error(f"{args.saligate} is no program")
    return args


def main():
    args = arguments()
    # Denormal numbers are slow, and gradients have some.
    torch.set_flush_denormal(True)
    isa, kernels = instruction_set(), torch.backends.cpu.get_cpu_capability()
    print(f"CPU with {isa}; PyTorch {torch.__version__} ({kernels}); {args.images} images per "
          f"step; milliseconds, medians of {args.rounds}\n")
    names = ["net", "threads", "fastest form", "PyTorch", "best"]
    if args.saligate:
        names += ["saligate", "best", "saligate / PyTorch"]
    print("| " + " | ".join(names) + " |")
    print("|---" * len(names) + "|", flush=True)
    rows = []
    for threads in args.threads:
        for name in args.nets:
            row = measure(args, name, threads)
            rows.append(row)
            cells = [name, str(threads), row["form"]]
            cells += [f"{row[key]:.1f}" for key in ("pytorch_ms", "pytorch_best_ms")]
            if args.saligate:
                cells += [f"{row[key]:.1f}" for key in ("saligate_ms", "saligate_best_ms")]
                cells.append(f"{row['ratio']:.2f}")
            print("| " + " | ".join(cells) + " |", flush=True)
    if args.json:
        found = {"isa": isa, "torch": torch.__version__, "torch_kernels": kernels,
                 "rounds": args.rounds, "rows": rows}
        args.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
