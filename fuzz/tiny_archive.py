"""Writes a small compiled model for the fuzzer to begin with: tiny_archive.py FILE

Made by hand, as docs/format.md tells: two convolutions, a pool, and an attribution.
"""

import hashlib
import json
import struct
import sys

CONV = {"stride": [1, 1], "pads": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}
VALUES = [
    {"input": {"name": "image", "shape": [1, 1, 4, 4]}},
    {"param": {"name": "w", "shape": [2, 1, 3, 3], "stored": "f32"}},
    {"node": {"name": "conv", "op": {"conv": CONV}, "operands": [0, 1]}},
    {"node": {"name": "relu", "op": "relu", "operands": [2]}},
    {"node": {"name": "mean", "op": "global-average-pool", "operands": [3]}},
    {"node": {"name": "logits", "op": "flatten", "operands": [4]}},
    {"input": {"name": "target", "shape": [1, 2]}},
    {"node": {"name": "seed", "op": {"reshape": {"shape": [2, 1, 1]}}, "operands": [6]}},
    {"node": {"name": "sign", "op": "sign", "operands": [3]}},
    {"node": {"name": "back", "op": "mul", "operands": [8, 7]}},
    {"node": {"name": "attribution", "op": {"conv-transpose": {
        "conv": CONV, "output_padding": [0, 0]}}, "operands": [9, 1]}},
]
ABOUT = {
    "tool": "tiny", "architecture": "tiny", "labels": ["a", "b"],
    "input": {"channels": 1, "height": 4, "width": 4, "range": [0, 1]},
    "methods": [{"name": "gradient", "output": "attribution", "reduction": "max-abs"}],
}


def weights(step):
    """The parameter `w`, and its digest as a manifest has it."""
    data = struct.pack("<18f", *[step * number for number in range(18)])
    shape = struct.pack("<Q", 1) + b"w" + struct.pack("<5Q", 4, 2, 1, 3, 3)
    return data, hashlib.sha256(shape + data).hexdigest()


def body(version, step, manifest, **more):
    """A compiled model without its SHA-256, nor a sealed part, whose length is one of `more`."""
    outline = {"manifest": manifest, "values": VALUES, "outputs": [5, 10], **more}
    outline = json.dumps(outline, separators=(",", ":")).encode()
    outline += b" " * (-len(outline) % 4)
    return b"saligate" + struct.pack("<2I", version, len(outline)) + outline + weights(step)[0]


def main():
    made = body(1, 1, {"version": 4, **ABOUT, "weights_sha256": weights(1)[1]})
    with open(sys.argv[1], "wb") as file:
        file.write(made + hashlib.sha256(made).digest())


if __name__ == "__main__":
    main()
