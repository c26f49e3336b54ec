"""Writes a small compiled model for the fuzzer to begin with: tiny_archive.py FILE

Made by hand, as docs/format.md tells: two convolutions, a pool, and an attribution.
"""

import hashlib
import json
import struct
import sys

conv = {"stride": [1, 1], "pads": [1, 1, 1, 1], "dilation": [1, 1], "groups": 1}
values = [
    {"input": {"name": "image", "shape": [1, 1, 4, 4]}},
    {"param": {"name": "w", "shape": [2, 1, 3, 3], "stored": "f32"}},
    {"node": {"name": "conv", "op": {"conv": conv}, "operands": [0, 1]}},
    {"node": {"name": "relu", "op": "relu", "operands": [2]}},
    {"node": {"name": "mean", "op": "global-average-pool", "operands": [3]}},
    {"node": {"name": "logits", "op": "flatten", "operands": [4]}},
    {"input": {"name": "target", "shape": [1, 2]}},
    {"node": {"name": "seed", "op": {"reshape": {"shape": [2, 1, 1]}}, "operands": [6]}},
    {"node": {"name": "sign", "op": "sign", "operands": [3]}},
    {"node": {"name": "back", "op": "mul", "operands": [8, 7]}},
    {"node": {"name": "attribution", "op": {"conv-transpose": {
        "conv": conv, "output_padding": [0, 0]}}, "operands": [9, 1]}},
]
weights = struct.pack("<18f", *range(18))
digest = hashlib.sha256()
digest.update(struct.pack("<Q", 1) + b"w" + struct.pack("<5Q", 4, 2, 1, 3, 3) + weights)
manifest = {
    "version": 4, "tool": "tiny", "architecture": "tiny", "labels": ["a", "b"],
    "input": {"channels": 1, "height": 4, "width": 4, "range": [0, 1]},
    "methods": [{"name": "gradient", "output": "attribution", "reduction": "max-abs"}],
    "weights_sha256": digest.hexdigest(),
}
outline = json.dumps({"manifest": manifest, "values": values, "outputs": [5, 10]}).encode()
outline += b" " * (-len(outline) % 4)
body = b"saligate" + struct.pack("<2I", 1, len(outline)) + outline + weights
with open(sys.argv[1], "wb") as file:
    file.write(body + hashlib.sha256(body).digest())
