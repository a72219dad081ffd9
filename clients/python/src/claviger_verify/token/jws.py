"""A compact JWS, taken apart and proved (RFC 7515, sections 3.1 and 5.2; RFC 8725).

Keys and addresses of keys that stand in a header are never used and never asked for; `jwk` is handed out, for DPoP, which proves
another thing with it.
"""

from dataclasses import dataclass
from typing import Any

from .json_object import read_object
from .key import VerifyingKey, algorithm_of
from .text import decoded

# The longest text that is looked at, unless somebody wants longer ones.
_LONGEST = 8 * 1024
# The longest header, as base64url: room for an RSA key.
_LONGEST_HEADER = 2 * 1024
_LONGEST_KID = 256


@dataclass(frozen=True, slots=True)
class Jws:
    """A JWS whose signature is not proved yet."""

    algorithm: str
    kid: str | None
    jwk: dict[str, Any] | None
    signed: bytes
    payload: bytes
    signature: bytes

    def proved(self, key: VerifyingKey) -> dict[str, Any] | None:
        """What it says, if this key signed it and it is a JSON object that says each thing once."""
        if key.algorithm != self.algorithm or not key.verifies(self.signed, self.signature):
            return None
        return read_object(self.payload)


def read_jws(text: str, typ: str, longest: int | None = None) -> Jws | None:
    """Takes it apart and holds its header against what is understood and wanted.

    `typ` is what the token must be made for, so that one made for one purpose never serves another (RFC 8725, section 3.11). With
    `longest`, the text may be longer, most of it header.
    """
    if len(text) > (longest or _LONGEST):
        return None
    parts = text.split(".", 3)
    if len(parts) != 3 or not parts[0] or not parts[2] or len(parts[0]) > (longest or _LONGEST_HEADER):
        return None
    header, payload, signature = map(decoded, parts)
    if header is None or payload is None or signature is None:
        return None
    members = read_object(header)
    # An extension would have to be understood.
    if members is None or "crit" in members or "b64" in members:
        return None
    algorithm = algorithm_of(members.get("alg"))
    kid, jwk, given_typ = members.get("kid"), members.get("jwk"), members.get("typ")
    texts = all(isinstance(members[name], str) for name in ("typ", "kid") if name in members)
    if algorithm is None or not texts or ("jwk" in members and not isinstance(jwk, dict)):
        return None
    # RFC 7515, section 4.1.9: a media type, whose `application/` may be left out, in any case of letters.
    if given_typ is None or given_typ.lower().removeprefix("application/") != typ:
        return None
    if kid is not None and len(kid.encode()) > _LONGEST_KID:
        return None
    signed, _, _ = text.rpartition(".")
    return Jws(algorithm, kid, jwk, signed.encode(), payload, signature)
