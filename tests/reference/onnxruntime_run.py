"""Runs a model file in ONNX Runtime, as it is, for comparison with the engines of this project.

usage: onnxruntime_run.py MODEL IMAGES.npy TARGET.npy|- OUT_DIR

IMAGES is [batch, channel, row, column] in [0, 1]; TARGET is [batch, class], or - to leave that input
to its default. Writes the outputs in their order to OUT_DIR/0.npy, OUT_DIR/1.npy and so on. The file is checked by onnx first.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def main() -> None:
    model, images, target, out = sys.argv[1:]
    onnx.checker.check_model(onnx.load(model), full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {"image": np.load(images)}
    if target != "-":
        feeds["target"] = np.load(target)
    for position, array in enumerate(session.run(None, feeds)):
        np.save(Path(out) / f"{position}.npy", array)


if __name__ == "__main__":
    main()
