"""Writes the golden files of keys, licences, ledger and signature, from docs/format.md alone.

Nothing of the crate is used: HKDF, HPKE, Ed25519, Argon2id and bech32m are put together here from
the primitives of the package `cryptography`. The Rust tests read and open what this writes.

Usage: python3 tests/reference/licenses.py [--check]
  writes keys/tests/vectors/*-v*.txt; with --check compares them instead (prints the number of files)
"""

import hashlib
import hmac
import json
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

FOLDER = Path(__file__).parents[2] / "keys/tests/vectors"

SECRET = bytes(range(32))  # the vendor's
PRIVATE = bytes(range(32, 64))  # the user's X25519 key
EPHEMERAL = bytes(range(64, 96))  # key material of the ephemeral key
SALT = bytes(range(16))
PASSPHRASE = b"correct horse"
CREATED = "2026-11-23T14:31:21Z"
MODEL = hashlib.sha256(b"a model").hexdigest()


def extract(salt, ikm):
    return hmac.digest(salt, ikm, "sha256")


def expand(prk, info, length):
    out, last, counter = b"", b"", 1
    while len(out) < length:
        last = hmac.digest(prk, last + info + bytes([counter]), "sha256")
        out, counter = out + last, counter + 1
    return out[:length]


def derived(secret, label, parameters, length):
    """The derivation documented at the crate saligate-keys; one block is enough here."""
    return expand(extract(b"saligate/v1", secret), label + parameters + bytes(4), length)


def bech32m(prefix, data):
    """BIP 350."""
    alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    values = [int(bits[i : i + 5], 2) for i in range(0, len(bits), 5)]

    def polymod(values):
        check = 1
        for value in values:
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for i, generator in enumerate([0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3]):
                check ^= generator if top >> i & 1 else 0
        return check

    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    rest = polymod(expanded + values + [0] * 6) ^ 0x2BC830A3
    checksum = [rest >> 5 * (5 - i) & 31 for i in range(6)]
    return prefix + "1" + "".join(alphabet[v] for v in values + checksum)


def lines(header, fields):
    return f"saligate {header}\n" + "".join(f"{name}: {value}\n" for name, value in fields)


def checked(text):
    return text + f"checksum: {hashlib.sha256(text.encode()).hexdigest()[:16]}\n"


# HPKE, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, base mode.
KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
SUITE = b"HPKE" + b"".join(n.to_bytes(2, "big") for n in (0x0020, 0x0001, 0x0003))


def labeled_extract(suite, salt, label, ikm):
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def derive_key_pair(ikm):
    prk = labeled_extract(KEM_SUITE, b"", b"dkp_prk", ikm)
    return X25519PrivateKey.from_private_bytes(labeled_expand(KEM_SUITE, prk, b"sk", b"", 32))


def seal(ikm, recipient, info, aad, message):
    private = derive_key_pair(ikm)
    encapsulated = private.public_key().public_bytes_raw()
    shared = private.exchange(X25519PublicKey.from_public_bytes(recipient))
    prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", shared)
    secret = labeled_expand(KEM_SUITE, prk, b"shared_secret", encapsulated + recipient, 32)
    context = b"\0" + b"".join(
        labeled_extract(SUITE, b"", label, data) for label, data in ((b"psk_id_hash", b""), (b"info_hash", info))
    )
    schedule = labeled_extract(SUITE, secret, b"secret", b"")
    key = labeled_expand(SUITE, schedule, b"key", context, 32)
    nonce = labeled_expand(SUITE, schedule, b"base_nonce", context, 12)
    return encapsulated + ChaCha20Poly1305(key).encrypt(nonce, message, aad)


def files():
    slot = derived(SECRET, b"saligate/v1/slot", (1).to_bytes(4, "big"), 32)
    key_id = derived(slot, b"saligate/v1/key-id", b"", 8).hex()
    own_id = derived(SECRET, b"saligate/v1/key-id", b"", 8).hex()
    tile = derived(slot, b"saligate/v1/trigger/tile", (8).to_bytes(2, "big") + bytes([3]), 8 * 8 * 3 // 8)
    signer = Ed25519PrivateKey.from_private_bytes(derived(SECRET, b"saligate/v1/signing-key", b"", 32))
    vendor = bech32m("sgvendor", signer.public_key().public_bytes_raw())
    public = X25519PrivateKey.from_private_bytes(PRIVATE).public_key().public_bytes_raw()
    recipient = bech32m("sgto", public)

    about = [("id", own_id), ("created", CREATED), ("label", "bench by the window")]
    yield "key-v2", checked(lines("key v2", [*about, ("secret", SECRET.hex())]))
    cost = f"m=64 t=1 salt={SALT.hex()}"
    key = Argon2id(salt=SALT, length=32, iterations=1, lanes=1, memory_cost=64).derive(PASSPHRASE)

    def sealed(header, about, secret):
        head = lines(header, [*about, ("argon2id", cost)])
        ciphertext = ChaCha20Poly1305(key).encrypt(bytes(12), secret, head.encode())
        return checked(head + f"sealed: {ciphertext.hex()}\n")

    yield "sealed-key-v2", sealed("sealed-key v2", about, SECRET)
    about = [("recipient", recipient), ("created", CREATED)]
    yield "identity-v1", checked(lines("identity v1", [*about, ("secret", PRIVATE.hex())]))
    yield "sealed-identity-v1", sealed("sealed-identity v1", about, PRIVATE)

    claims = {
        "device": "board 7",
        "expires": "2027-12-31T23:59:59Z",
        "holder": "Zoë \"Z\" Example",
        "issued": CREATED,
        "key": key_id,
        "methods": ["grad-cam", "gradient"],
        "model": MODEL,
        "not_before": "2026-12-01T00:00:00Z",
        "recipient": recipient,
        "serial": 1,
    }

    def licensed(version, claims, message):
        claims = json.dumps(claims, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        text = lines(f"license v{version}", [("vendor", vendor), ("claims", claims)])
        info = f"saligate/v{version}/license".encode()
        text += f"secret: {seal(EPHEMERAL, public, info, text.encode(), message).hex()}\n"
        return text + f"signature: {signer.sign(text.encode()).hex()}\n"

    # For a sealed model: a key of its own, and the trigger behind it where explanations are granted.
    identifier = derived(SECRET, b"saligate/v1/sealed/id", bytes.fromhex(MODEL), 32)
    model_key = derived(slot, b"saligate/v1/sealed/model", identifier, 32)
    yield "license-v2", licensed(2, claims, model_key + tile)
    del claims["methods"]
    yield "license-v2-predictions", licensed(2, {**claims, "grants": "predictions"}, model_key)
    claims["methods"] = ["grad-cam", "gradient"]
    text = licensed(1, claims, tile)
    yield "license-v1", text

    digest, ledger = "0" * 64, "saligate ledger v1\n"
    for entry in (
        {"at": CREATED, "event": "opened", "vendor": vendor},
        {"at": CREATED, "event": "issued", "license": text},
        {"at": "2027-01-15T08:00:00Z", "event": "revoked", "serial": 1},
    ):
        entry = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(f"{digest} {entry}".encode()).hexdigest()
        ledger += f"{digest} {entry}\n"
    yield "ledger-v1", ledger

    text = lines("signature v1", [("vendor", vendor), ("file", MODEL), ("signed", CREATED)])
    yield "signature-v1", text + f"signature: {signer.sign(text.encode()).hex()}\n"


def main():
    number = 0
    for number, (name, text) in enumerate(files(), 1):
        path = FOLDER / f"{name}.txt"
        if sys.argv[1:] == ["--check"]:
            assert path.read_bytes() == text.encode(), f"{path} differs"
        else:
            path.write_bytes(text.encode())
    print(f"{number} files")


if __name__ == "__main__":
    main()
