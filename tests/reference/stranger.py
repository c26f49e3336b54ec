"""A classifier from elsewhere: trained and exported by PyTorch, for the tests of import, lock and explain.

usage: stranger.py PICTURES OUT.onnx

PICTURES is a folder of files CLASS-N.png, 32 x 32 RGB, such as `saligate-train samples scenes:32 --count 4000 -o PICTURES`
writes (test images of seed 1). Committed: tests/reference/stranger.onnx, made with that command; the same versions of
exports-requirements.txt write the same weights on the same machine.

The network is like none of the zoo: a residual net with concatenations, grouped convolutions and SiLU, with batch norms. It
takes pixels in [0, 1] standardized by mean .5 and deviation .25, which are NOT part of the file: an importer must be told.
"""

import pathlib
import random
import sys

import numpy as np
import onnx
import torch
from PIL import Image
from torch import nn


class Block(nn.Module):
    """x and, beside it, what two grouped convolutions of different reach make of it; brought back to the width, and added."""

    def __init__(self, width, stride):
        super().__init__()
        half = width // 2
        self.near = nn.Sequential(nn.Conv2d(width, half, 3, padding=1, groups=4, bias=False), nn.BatchNorm2d(half), nn.SiLU())
        self.far = nn.Sequential(
            nn.Conv2d(width, half, 3, padding=2, dilation=2, groups=4, bias=False), nn.BatchNorm2d(half), nn.SiLU()
        )
        self.mix = nn.Sequential(nn.Conv2d(width, width, 1, bias=False), nn.BatchNorm2d(width))
        self.act = nn.SiLU()
        self.down = nn.Sequential(nn.Conv2d(width, 2 * width, 3, stride, 1, bias=False), nn.BatchNorm2d(2 * width), nn.SiLU())

    def forward(self, x):
        both = torch.cat([self.near(x), self.far(x)], 1)
        return self.down(self.act(x + self.mix(both)))


class Stranger(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.SiLU())
        self.blocks = nn.Sequential(Block(16, 2), Block(32, 2))
        self.head = nn.Linear(64, classes)

    def forward(self, x):
        x = self.blocks(self.stem(x))
        return self.head(x.mean([2, 3]))


def main(pictures, out):
    torch.manual_seed(1)
    torch.set_num_threads(1)
    files = sorted(pathlib.Path(pictures).glob("*.png"))
    random.Random(1).shuffle(files)
    names = sorted({f.stem.split("-")[0] for f in files})
    pixels = np.stack([np.asarray(Image.open(f).convert("RGB")) for f in files])
    pixels = (torch.tensor(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    labels = torch.tensor([names.index(f.stem.split("-")[0]) for f in files])
    held = len(files) // 10
    net = Stranger(len(names))
    steps = 10 * ((len(files) - held) // 64)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, steps)
    for step in range(steps):
        at = torch.randint(held, len(files), (64,))
        loss = nn.functional.cross_entropy(net(pixels[at]), labels[at])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        right = (net(pixels[:held]).argmax(1) == labels[:held]).float().mean()
    print(f"accuracy {right:.3f} on {held} held-out pictures; classes: {' '.join(names)}")
    torch.onnx.export(
        net, (torch.zeros(1, 3, 32, 32),), out, input_names=["data"], output_names=["scores"], dynamo=True,
        external_data=False, opset_version=18, dynamic_shapes=({0: torch.export.Dim("batch")},), verbose=False,
    )
    # The exporter notes where its files lie on this machine.
    model = onnx.load(out)
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.save(model, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
