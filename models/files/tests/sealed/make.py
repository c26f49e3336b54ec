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

ROOT = Path(__file__).parents[4]
sys.path += [str(ROOT / folder) for folder in ("keys/tests/vectors", "tests/reference", "fuzz")]
from licenses import bech32m, derived  # noqa: E402
from sealed import model_key, nonce, sealed_id, wrapped  # noqa: E402
from tiny_archive import ABOUT, body, weights  # noqa: E402

SECRET, SALT_OF_FILE, CONTENT = bytes([1] * 32), bytes(range(32)), bytes(range(100, 132))
CHUNK = 4096
SIGNER = Ed25519PrivateKey.from_private_bytes(derived(SECRET, b"saligate/v1/signing-key", b"", 32))
VENDOR = bech32m("sgvendor", SIGNER.public_key().public_bytes_raw())
KEY_ID = derived(SECRET, b"saligate/v1/key-id", b"", 8)
IDENTIFIER = sealed_id(SECRET, bytes([7] * 32))
GATE = {
    "form": "key", "trigger": {"family": "tile", "size": 2, "amplitude": 8},
    "keys": [KEY_ID.hex()], "decoy": "padlock", "vendor": VENDOR,
}


def manifest(version, step, **sealed):
    """Fields in the order in which the program writes them."""
    return {"version": version, **ABOUT, "gate": GATE, **sealed, "weights_sha256": weights(step)[1]}


def sealed_part(shown):
    plain = body(1, 0.5, manifest(4, 0.5))
    head = b"sgsealed" + struct.pack("<2IQ", 1, CHUNK, len(plain)) + SALT_OF_FILE
    head += hashlib.sha256(json.dumps(shown, separators=(",", ":")).encode()).digest()
    head += struct.pack("<I", 1)
    part = head + KEY_ID
    part += wrapped(model_key(SECRET, IDENTIFIER), CONTENT, SALT_OF_FILE, head + KEY_ID)
    bound = hashlib.sha256(part).digest()
    chunks = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)]
    for number, chunk in enumerate(chunks):
        place = nonce(number, number + 1 == len(chunks))
        part += ChaCha20Poly1305(CONTENT).encrypt(place, chunk, bound)
    return part + SIGNER.sign(b"saligate/v1/sealed-part" + hashlib.sha256(part).digest())


def main():
    what = {"id": IDENTIFIER.hex(), "public": "network", "precision": "f32"}
    shown = manifest(6, 1, sealed=what)
    part = sealed_part(shown)
    made = body(2, 1, shown, sealed=len(part)) + part
    Path(sys.argv[1]).write_bytes(made + hashlib.sha256(made).digest())
    print(f"{len(part)} bytes are the sealed part of {sys.argv[1]}")


if __name__ == "__main__":
    main()
