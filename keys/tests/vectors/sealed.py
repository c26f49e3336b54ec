"""Computes sealed.txt from docs/format.md, with nothing of the crate; `cryptography` has the cipher.

Usage: python3 keys/tests/vectors/sealed.py           (prints the vectors)
       python3 keys/tests/vectors/sealed.py --check   (compares them with sealed.txt, or fails)
"""

import sys
from pathlib import Path

from check import SALT, hkdf_sha256
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def derived(secret, label, parameters):
    """The first block of the stream for one purpose."""
    return hkdf_sha256(SALT, secret, b"saligate/v1/sealed/" + label + parameters + bytes(4), 32)


def sealed_id(vendor, model):
    return derived(vendor, b"id", model)


def model_key(secret, identifier):
    return derived(secret, b"model", identifier)


def nonce(number, is_last):
    return bytes(7) + number.to_bytes(4, "big") + bytes([is_last])


def wrapped(key, content, salt, bound):
    return ChaCha20Poly1305(derived(key, b"entry", salt)).encrypt(nonce(0, True), content, bound)


def unwrapped(key, entry, salt, bound):
    return ChaCha20Poly1305(derived(key, b"entry", salt)).decrypt(nonce(0, True), entry, bound)


def main():
    salt, content = bytes(range(32)), bytes(range(100, 132))
    identifier = sealed_id(bytes([1] * 32), bytes([5] * 32))
    key = model_key(bytes([2] * 32), identifier)
    vectors = {
        "id": identifier,
        "model-key": key,
        "salt": salt,
        "content-key": content,
        "wrapped": wrapped(key, content, salt, b"bound"),
    }
    for number, chunk in enumerate([b"a chunk of some weights", b"and the last one"]):
        sealed = ChaCha20Poly1305(content).encrypt(nonce(number, number == 1), chunk, b"chunks")
        vectors |= {f"chunk-{number}": chunk, f"sealed-{number}": sealed}
    text = "".join(f"{name} = {value.hex()}\n" for name, value in vectors.items())
    if sys.argv[1:] == ["--check"]:
        assert Path(__file__).with_name("sealed.txt").read_text() == text
        print(f"{len(vectors)} values agree")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
