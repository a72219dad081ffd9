"""Public keys as JWK (RFC 7517), read with suspicion, and sets of them by their ids."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt

from .json_object import read_object
from .text import decoded, digest

# Members of private and of shared keys (RFC 7518, section 6).
_SECRET = ("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv")
_COORDINATE = 32
_LONGEST_KID = 256
# Second coordinates of the points of Ed25519 of order 8 (RFC 8032), for which anybody can make signatures.
_ORDER_8 = (
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key that proves signatures of one algorithm: `ES256`, `EdDSA` or `RS256`."""

    algorithm: str
    thumbprint: str
    kid: str | None
    key: Any = field(repr=False)

    def verifies(self, signed: bytes, signature: bytes) -> bool:
        """Whether this key signed it."""
        return jwt.get_algorithm_by_name(self.algorithm).verify(signed, self.key, signature)


Keys = Mapping[str, VerifyingKey]


def algorithm_of(text: object) -> str | None:
    """From `alg` of a header or a key. Ed25519 has two names (RFC 9864, section 2.2)."""
    if text == "Ed25519":
        return "EdDSA"
    return text if isinstance(text, str) and text in ("ES256", "EdDSA", "RS256") else None


def _public_members(jwk: Mapping[str, Any]) -> tuple[str, dict[str, str]] | None:
    """The members that make the key, each in its one canonical form, in the order of their names."""
    match jwk.get("kty"), jwk.get("crv"):
        case "EC", "P-256":
            sound = all(len(decoded(jwk.get(name)) or b"") == _COORDINATE for name in ("x", "y"))
            return ("ES256", {"crv": "P-256", "kty": "EC", "x": jwk["x"], "y": jwk["y"]}) if sound else None
        case "OKP", "Ed25519":
            x = decoded(jwk.get("x"))
            return ("EdDSA", {"crv": "Ed25519", "kty": "OKP", "x": jwk["x"]}) if x and _has_large_order(x) else None
        case "RSA", _:
            n, e = decoded(jwk.get("n")), decoded(jwk.get("e"))
            return ("RS256", {"e": jwk["e"], "kty": "RSA", "n": jwk["n"]}) if n and e and _is_sound_rsa(n, e) else None
        case _:
            return None


def _has_large_order(key: bytes) -> bool:
    """Whether this can be a key of Ed25519: written canonically, and of no small order."""
    if len(key) != _COORDINATE:
        return False
    # The highest bit is the sign of the first coordinate.
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    # 2²⁵⁵ − 20 is −1, the point of order 2; from 2²⁵⁵ − 19 on, numbers are written in two ways.
    return 1 < y < 2**255 - 20 and y.to_bytes(_COORDINATE, "little").hex() not in _ORDER_8


def _is_sound_rsa(n: bytes, e: bytes) -> bool:
    # No leading zeros: one key has one form and one thumbprint (RFC 7518, section 6.3.1.1).
    modulus, exponent = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    canonical = n[0] > 0 and e[0] > 0 and len(e) <= 4
    return canonical and 2048 <= modulus.bit_length() <= 8192 and modulus % 2 == 1 and exponent % 2 == 1 and exponent > 1


def read_key(jwk: object) -> VerifyingKey | None:
    """Reads a JWK. Members that mean nothing here, such as `x5c`, are passed over."""
    if not isinstance(jwk, dict) or any(member in jwk for member in _SECRET):
        return None
    public = _public_members(jwk)
    if public is None:
        return None
    algorithm, members = public
    kid, operations = jwk.get("kid"), jwk.get("key_ops")
    fits = (
        jwk.get("use", "sig") == "sig"
        and ("key_ops" not in jwk or (isinstance(operations, list) and "verify" in operations))
        and ("alg" not in jwk or algorithm_of(jwk["alg"]) == algorithm)
        and ("kid" not in jwk or (isinstance(kid, str) and len(kid.encode()) <= _LONGEST_KID))
    )
    if not fits:
        return None
    try:
        key = jwt.PyJWK(members, algorithm).key
    except (jwt.PyJWTError, ValueError):
        # No point of its curve.
        return None
    return VerifyingKey(algorithm, digest(json.dumps(members, separators=(",", ":"))), kid, key)


def read_keys(text: bytes) -> Keys | None:
    """Reads a JWK Set, if it is one. Two keys of one name, and those that are not understood, are left out."""
    listed = (read_object(text) or {}).get("keys")
    if not isinstance(listed, list) or not all(isinstance(key, dict) for key in listed):
        return None
    keys: dict[str, VerifyingKey] = {}
    twice = set()
    for key in map(read_key, listed):
        if key is None or key.kid is None:
            continue
        if key.kid in keys:
            twice.add(key.kid)
        keys[key.kid] = key
    return {kid: key for kid, key in keys.items() if kid not in twice}


def are_same_keys(some: Keys, others: Keys) -> bool:
    """Whether two sets are the same, by what the keys are and not by their names alone."""
    return {kid: key.thumbprint for kid, key in some.items()} == {kid: key.thumbprint for kid, key in others.items()}
