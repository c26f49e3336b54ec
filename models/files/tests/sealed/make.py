"""Writes tiny.edge, a compiled model with a sealed part, from docs/format.md, with nothing of the project's code.

Usage: python3 models/files/tests/sealed/make.py FILE    (needs `cryptography`; the tests read the file)

The key is of 32 bytes of 1; everything that a vendor draws at random is fixed here.
"""

import hashlib
import json
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

sys.path.append(str(Path(__file__).parents[4] / "keys/tests/vectors"))
from check import SALT, hkdf_sha256  # noqa: E402
from sealed import model_key, nonce, sealed_id, wrapped  # noqa: E402

SECRET, SALT_OF_FILE, CONTENT = bytes([1] * 32), bytes(range(32)), bytes(range(100, 132))
CHUNK = 4096
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32m(prefix, data):
    """BIP 350."""

    def polymod(values):
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for bit, part in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
                check ^= part if top >> bit & 1 else 0
        return check

    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    words = [int(bits[at : at + 5], 2) for at in range(0, len(bits), 5)]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = polymod(expanded + words + [0] * 6) ^ 0x2BC830A3
    words += [check >> 5 * (5 - at) & 31 for at in range(6)]
    return prefix + "1" + "".join(CHARSET[word] for word in words)


def stream(label, length):
    """The first block of a stream of the secret."""
    return hkdf_sha256(SALT, SECRET, b"saligate/v1/" + label + bytes(4), length)


SIGNER = Ed25519PrivateKey.from_private_bytes(stream(b"signing-key", 32))
VENDOR = bech32m("sgvendor", SIGNER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
KEY_ID = stream(b"key-id", 8)
IDENTIFIER = sealed_id(SECRET, bytes([7] * 32))

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


def weights(step):
    """The parameter `w`, and its digest as a manifest of version 4 has it."""
    data = struct.pack("<18f", *[step * number for number in range(18)])
    shape = struct.pack("<Q", 1) + b"w" + struct.pack("<5Q", 4, 2, 1, 3, 3)
    return data, hashlib.sha256(shape + data).hexdigest()


def manifest(digest, sealed):
    """Fields in the order in which the program writes them."""
    fields = {
        "version": 4 if not sealed else 6, "tool": "tiny", "architecture": "tiny", "labels": ["a", "b"],
        "input": {"channels": 1, "height": 4, "width": 4, "range": [0, 1]},
        "methods": [{"name": "gradient", "output": "attribution", "reduction": "max-abs"}],
        "gate": {
            "form": "key", "trigger": {"family": "tile", "size": 2, "amplitude": 8},
            "keys": [KEY_ID.hex()], "decoy": "padlock", "vendor": VENDOR,
        },
    }
    if sealed:
        fields["sealed"] = {"id": IDENTIFIER.hex(), "public": "network", "precision": "f32"}
    return fields | {"weights_sha256": digest}


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def body(version, step, sealed=None):
    data, digest = weights(step)
    outline = {"manifest": manifest(digest, sealed is not None), "values": VALUES, "outputs": [5, 10]}
    if sealed is not None:
        outline["sealed"] = sealed
    outline = compact(outline)
    outline += b" " * (-len(outline) % 4)
    return b"saligate" + struct.pack("<2I", version, len(outline)) + outline + data


def sealed_part():
    plain = body(1, 0.5)
    _, digest = weights(1)
    head = b"sgsealed" + struct.pack("<2IQ", 1, CHUNK, len(plain)) + SALT_OF_FILE
    head += hashlib.sha256(compact(manifest(digest, True))).digest() + struct.pack("<I", 1)
    entry = wrapped(model_key(SECRET, IDENTIFIER), CONTENT, SALT_OF_FILE, head + KEY_ID)
    part = head + KEY_ID + entry
    bound = hashlib.sha256(part).digest()
    chunks = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)]
    for number, chunk in enumerate(chunks):
        place = nonce(number, number + 1 == len(chunks))
        part += ChaCha20Poly1305(CONTENT).encrypt(place, chunk, bound)
    signed = b"saligate/v1/sealed-part" + hashlib.sha256(part).digest()
    return part + SIGNER.sign(signed)


def main():
    part = sealed_part()
    made = body(2, 1, len(part)) + part
    Path(sys.argv[1]).write_bytes(made + hashlib.sha256(made).digest())
    print(f"{len(part)} bytes are the sealed part of {sys.argv[1]}")


if __name__ == "__main__":
    main()
