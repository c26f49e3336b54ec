"""Small networks of timm as ONNX files, with random weights, for `saligate import` and `saligate-train fit`.

usage: timm_nets.py FOLDER --size SIDE --classes N NET...

Needs exports-requirements.txt. Weights are those that timm starts training with, seed 0. Batch norms stay operations of their own,
so that training has them.
"""

import argparse
from pathlib import Path

import timm
import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("nets", nargs="+")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.nets:
        torch.manual_seed(0)
        net = timm.create_model(name, pretrained=False, num_classes=args.classes).eval()
        torch.onnx.export(
            net,
            torch.zeros(1, 3, args.size, args.size),
            args.folder / f"{name}.onnx",
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            input_names=["pixels"],
            output_names=["scores"],
        )


main()
