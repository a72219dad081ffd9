"""DPoP proofs (RFC 9449): whether a text proves, for one request and now, that whoever sends it holds a private key.

Whether the proof came before, and which key a credential is bound to, the room must not know.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .jws import read_jws
from .key import read_key
from .text import digest

# How far `iat` may lie in the past or, for clocks differ, ahead, in milliseconds: at its end it counts no more.
_WINDOW = 60_000
_LONGEST_JTI = 256
# The end of the year 9999.
_LAST = 253_402_300_799

_USUAL_PORTS = {"http": 80, "https": 443}
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{0,5}))?(?P<path>(?:/[^?#]*)?)(?=\Z|[?#])",
    re.IGNORECASE,
)
_ENCODED_DOT = re.compile(r"%2e", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_PRINTED = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds, if it did not come before: of which key, what its holder calls it, and when it ends, in milliseconds."""

    thumbprint: str
    jti: str
    ends_at: int


def proof_url(text: str) -> str | None:
    """An address as proofs and requests are compared by it (RFC 9449, section 4.3).

    Without query and fragment, and written in the one way of RFC 3986, sections 6.2.2 and 6.2.3. A host is not looked at further:
    who writes an IP address in another way writes another address.
    """
    # Readers of URLs take other characters away.
    if _PRINTED.fullmatch(text) is None or "\\" in text:
        return None
    parts = _ADDRESS.match(text)
    if parts is None or _BROKEN_ESCAPE.search(parts["path"]):
        return None
    scheme, host = parts["scheme"].lower(), parts["host"].lower()
    port = int(parts["port"]) if parts["port"] else _USUAL_PORTS[scheme]
    place = host if port == _USUAL_PORTS[scheme] else f"{host}:{port}"
    return f"{scheme}://{place}{_ESCAPE.sub(_needed, _without_dots(parts['path']))}"


def _without_dots(path: str) -> str:
    """RFC 3986, section 5.2.4, where a dot may be escaped."""
    written: list[str] = []
    segments = path.split("/")[1:] or [""]
    for segment in segments:
        dots = _ENCODED_DOT.sub(".", segment)
        if dots == "..":
            del written[-1:]
        elif dots != ".":
            written.append(segment)
    if _ENCODED_DOT.sub(".", segments[-1]) in (".", ".."):
        written.append("")
    return "/" + "/".join(written)


def _needed(escape: re.Match[str]) -> str:
    """What needs no escape has none, and others are in capitals."""
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0].upper()


def check_proof(text: str, method: str, url: str, credential: str, now: datetime) -> Proof | None:
    """Every test of RFC 9449, section 4.3, but whether it came before and whose key it is."""
    jws = read_jws(text, "dpop+jwt")
    key = read_key(jws.jwk) if jws is not None else None
    claims = jws.proved(key) if jws is not None and key is not None else None
    if key is None or claims is None:
        return None
    jti, htu, here = claims.get("jti"), claims.get("htu"), proof_url(url)
    if not isinstance(jti, str) or not 1 <= len(jti.encode()) <= _LONGEST_JTI:
        return None
    if claims.get("htm") != method or not isinstance(htu, str) or here is None or proof_url(htu) != here:
        return None
    if claims.get("ath") != digest(credential) or not isinstance(claims.get("nonce", ""), str):
        return None
    ends_at = _lasts_until(claims, round(now.timestamp() * 1000))
    return None if ends_at is None else Proof(key.thumbprint, jti, ends_at)


def _lasts_until(claims: dict[str, Any], now: int) -> int | None:
    issued = _milliseconds(claims.get("iat"))
    begins = _milliseconds(claims["nbf"]) if "nbf" in claims else now
    ends = _milliseconds(claims["exp"]) if "exp" in claims else now
    if issued is None or begins is None or ends is None:
        return None
    is_over = now - issued >= _WINDOW or now - ends >= _WINDOW
    is_for_later = issued - now >= _WINDOW or begins - now >= _WINDOW
    return None if is_over or is_for_later else issued + _WINDOW


def _milliseconds(seconds: object) -> int | None:
    """RFC 7519, section 2, `NumericDate`: seconds since 1970, with or without a fraction."""
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    return round(seconds * 1000) if is_number and isinstance(seconds, int | float) and 0 <= seconds <= _LAST else None
