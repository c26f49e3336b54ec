"""Recomputes trigger.txt from the derivation documented at the crate, with nothing of the crate.

Usage: python3 keys/tests/vectors/check.py    (prints the number of vectors, or fails)
"""

import hashlib
import hmac
import json
from pathlib import Path

SALT = b"saligate/v1"
BLOCK = 255 * 32


def hkdf_sha256(salt, secret, info, length):
    """RFC 5869, sections 2.2 and 2.3."""
    prk = hmac.digest(salt, secret, "sha256")
    out, last, counter = b"", b"", 1
    while len(out) < length:
        last = hmac.digest(prk, last + info + bytes([counter]), "sha256")
        out += last
        counter += 1
    return out[:length]


def stream(secret, info, length):
    out, index = b"", 0
    while len(out) < length:
        part = min(BLOCK, length - len(out))
        out += hkdf_sha256(SALT, secret, info + index.to_bytes(4, "big"), part)
        index += 1
    return out


def big_endian(value, size):
    return value.to_bytes(size, "big")


def trigger(secret, spec, shape):
    """The bytes of the trigger, and what an image value (c, y, x) = pixel becomes."""
    channels, height, width = shape
    family = spec["family"]
    label = b"saligate/v1/trigger/" + family.encode()
    if family == "full":
        tile_height, tile_width = height, width
        label += big_endian(channels, 1) + big_endian(height, 2) + big_endian(width, 2)
    else:
        tile_height = tile_width = spec["size"]
        label += big_endian(spec["size"], 2) + big_endian(channels, 1)
    cells = channels * tile_height * tile_width

    if family == "patch":
        data = stream(secret, label, cells)

        def applied(pixel, c, y, x):
            row, column = y - (height - tile_height), x - (width - tile_width)
            if row < 0 or column < 0:
                return pixel
            return data[(c * tile_height + row) * tile_width + column]

    else:
        data = stream(secret, label, (cells + 7) // 8)

        def applied(pixel, c, y, x):
            cell = (c * tile_height + y % tile_height) * tile_width + x % tile_width
            one = data[cell // 8] >> (7 - cell % 8) & 1
            return min(max(pixel + (spec["amplitude"] if one else -spec["amplitude"]), 0), 255)

        if cells % 8:  # the unused bits of the last byte are written as zeros
            data = data[:-1] + bytes([data[-1] & 0xFF << 8 - cells % 8 & 0xFF])
    return data, applied


def shown(data):
    return data.hex() if len(data) <= 64 else "sha256:" + hashlib.sha256(data).hexdigest()


def outcome(vector):
    secret, spec = bytes.fromhex(vector["secret"]), json.loads(vector["spec"])
    shape = channels, height, width = [int(n) for n in vector["shape"].split("x")]
    data, applied = trigger(secret, spec, shape)
    places = [(c, y, x) for c in range(channels) for y in range(height) for x in range(width)]
    image = bytes(applied(37 * i % 256, *place) for i, place in enumerate(places))
    return {
        "key-id": stream(secret, b"saligate/v1/key-id", 8).hex(),
        "cells": shown(data),
        "applied": shown(image),
    }


def vectors(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for record in "\n".join(lines).split("\n\n"):
        if record.strip():
            yield dict(line.split(" = ", 1) for line in record.strip().splitlines())


def main():
    number = 0
    text = Path(__file__).with_name("trigger.txt").read_text()
    for number, vector in enumerate(vectors(text), 1):
        inputs = {name: vector.pop(name) for name in ("secret", "spec", "shape")}
        expected = outcome(inputs)
        assert vector == expected, f"{inputs}: {vector} != {expected}"
    assert number, "no vectors"
    print(f"{number} vectors agree")


if __name__ == "__main__":
    main()
