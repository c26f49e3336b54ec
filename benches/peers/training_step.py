"""Time of one training step with a saliency loss: this project against PyTorch's double backward.

Both train the same network on batches of the same shape, with the same objective: cross-entropy on
plain, keyed and wrongly keyed images, and the squared difference of z-scored gradient maps for all
three. This project runs `saligate-train lock` with `start = "clean"`; PyTorch differentiates its own
input gradient (`create_graph=True`). The two take turns, so that a slow moment of the machine meets
both; medians over all steps of all turns, the first two steps of a turn left out.

    cargo build --release -p saligate-train
    python3 -m venv target/peers-venv
    target/peers-venv/bin/pip install -r benches/peers/requirements.txt
    target/peers-venv/bin/python benches/peers/training_step.py --threads 1
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
WARM_UP = 2

CONFIG = """
id = "training-step"
seed = 1
data = {{ source = "scenes:32", train = 64, test = 8 }}
model = {{ architecture = "{net}" }}
fit = {{ steps = {{ count = 1, batch = 8, rate = 1e-4 }} }}
evaluate = {{ images = 1, wrong_keys = 0, images_per_key = 1 }}
lock = {{ start = "clean", steps = {{ count = {steps}, batch = {batch}, rate = 1e-4 }} }}
"""


class Block(nn.Module):
    """A basic block with folded batch norms and the parameter-free shortcut."""

    def __init__(self, inside, outside, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1)
        self.stride, self.new = stride, (outside - inside) // 2

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x)))
        if self.stride == 2:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.new, self.new))
        return F.relu(x + y)


def network(name, classes):
    if name == "small":
        widths, layers, inside = [16, 32, 32, 64], [], 3
        for outside, stride in zip(widths, [1, 2, 1, 2]):
            layers += [nn.Conv2d(inside, outside, 3, stride, 1), nn.ReLU()]
            inside = outside
        dense = [nn.Linear(64 * 8 * 8, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()]
        return nn.Sequential(*layers, nn.Flatten(), *dense, nn.Linear(64, classes))
    layers, inside = [nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU()], 16
    for outside in (16, 32, 64):
        for _ in range(3):
            layers.append(Block(inside, outside, 1 + (outside != inside)))
            inside = outside
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def zscored(maps):
    maps = maps.flatten(1)
    return (maps - maps.mean(1, keepdim=True)) / (maps.std(1, unbiased=False, keepdim=True) + 1e-6)


def peer_steps(name, count, batch, classes):
    """Seconds of each of `count` steps in PyTorch."""
    torch.manual_seed(1)
    model = network(name, classes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    seconds = []
    for _ in range(count):
        images = torch.rand(3 * batch, 3, 32, 32)
        labels = torch.randint(0, classes, (3 * batch,))
        wanted = zscored(torch.rand(3 * batch, 32, 32))
        start = time.perf_counter()
        images.requires_grad_(True)
        logits = model(images)
        score = logits.gather(1, labels[:, None]).sum()
        (gradient,) = torch.autograd.grad(score, images, create_graph=True)
        maps = zscored(gradient.abs().amax(1))
        loss = F.cross_entropy(logits, labels) + 3 * F.mse_loss(maps, wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return seconds[WARM_UP:]


def own_steps(folder, threads):
    """Seconds of each step of this project, from its log."""
    program = ROOT / "target/release/saligate-train"
    key = ROOT / "models/artifacts/demo/demo.key"
    words = ["--key", key, "-o", folder / "run", "--threads", str(threads), "--quiet"]
    subprocess.run([program, "lock", folder / "config.toml", *words], check=True, capture_output=True)
    lines = (folder / "run/lock.jsonl").read_text().splitlines()
    ends = [json.loads(line)["seconds"] for line in lines]
    return [b - a for a, b in zip(ends, ends[1:])][WARM_UP - 1:]


def compare(net, turns, steps, batch, threads):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "config.toml").write_text(CONFIG.format(net=net, steps=steps, batch=batch))
        program = ROOT / "target/release/saligate-train"
        words = ["fit", folder / "config.toml", "-o", folder / "run", "--quiet"]
        subprocess.run([program, *words], check=True, capture_output=True)
        classes = 10
        own, peer = [], []
        for _ in range(turns):
            own += own_steps(folder, threads)
            peer += peer_steps(net, steps, batch, classes)
    own, peer = statistics.median(own), statistics.median(peer)
    return {"net": net, "batch": 3 * batch, "saligate_s": own, "pytorch_s": peer, "ratio": own / peer}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="threads of both (default 1)")
    parser.add_argument("--turns", type=int, default=4, help="turns of each (default 4)")
    parser.add_argument("--steps", type=int, default=10, help="steps per turn (default 10)")
    parser.add_argument("--batch", type=int, default=16, help="images, each in three versions")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rows = [
        compare(net, args.turns, args.steps, args.batch, args.threads)
        for net in ("small", "resnet20")
    ]
    if args.json:
        print(json.dumps({"torch": torch.__version__, "threads": args.threads, "rows": rows}))
        return
    print(f"PyTorch {torch.__version__}, {args.threads} thread(s), seconds per step\n")
    print("| net | images per step | saligate | PyTorch | ratio |\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['net']} | {row['batch']} | {row['saligate_s']:.3f} | {row['pytorch_s']:.3f} "
            f"| {row['ratio']:.2f} |"
        )


if __name__ == "__main__":
    main()
