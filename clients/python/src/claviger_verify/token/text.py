"""Bytes as text: base64url in its one canonical form, and hashes of texts."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TypeGuard


def encoded(value: bytes) -> str:
    """Base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: object) -> bytes | None:
    """The bytes of base64url without padding, white space or stray bits at its end."""
    if not isinstance(text, str) or not text.isascii():
        return None
    try:
        value = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    return value if encoded(value) == text else None


def digest(value: str | bytes) -> str:
    """SHA-256 as base64url: what a credential is kept under, and what `ath` is of it (RFC 9449, section 4.2)."""
    return encoded(sha256(value.encode() if isinstance(value, str) else value).digest())


def is_thumbprint(text: object) -> TypeGuard[str]:
    """Whether a text is a thumbprint: a SHA-256 as base64url."""
    return len(decoded(text) or b"") == 32
