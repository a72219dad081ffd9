"""The rules: what is known of a JWT by its text and the keys, and the verdict on one use of what is known.

Everything here is held to `vectors/` at the repository's root, which the verifiers of all languages share.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, Protocol

from .claims import read_claims
from .found import Confirmation, Found, Shown
from .jws import read_jws
from .key import Keys
from .network import contain
from .object import covers

# Why a text is no token of the instance. Of `unknown_key`, the key may be new.
NotProved = Literal["malformed", "unknown_key", "forged"]

# How far the instance's clock may be ahead of ours.
CLOCKS_DIFFER = timedelta(seconds=60)
# How long a token of the instance lives at most, in seconds. What ended is told for no longer than that.
_LONGEST_LIFE = 3600

_EMPTY_PATH = re.compile(r"\A((?:(?!://).)*://[^/?#]*)/(?=\Z|[?#])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a credential, and what its caller showed. All of the permissions and objects are wanted."""

    audience: str
    environment: Literal["live", "test"] | None
    permissions: Sequence[str]
    objects: Sequence[str]
    whatever_object: bool = False
    client_ip: IPv4Address | IPv6Address | None = None
    key: Shown | None = None
    certificate: Shown | None = None


def read_token(text: str, keys: Keys, issuer: str, now: datetime) -> Found | NotProved:
    """What an access token says (RFC 9068), if a key of the instance signed it.

    Whether its time is over is the verdict's to say.
    """
    jws = read_jws(text, "at+jwt")
    if jws is None:
        return "malformed"
    key = keys.get(jws.kid) if jws.kid is not None else None
    if key is None:
        return "unknown_key"
    said = jws.proved(key)
    claims = read_claims(said) if said is not None else None
    if claims is None or claims.iss != issuer or claims.exp - claims.iat > _LONGEST_LIFE:
        return "forged"
    return "forged" if claims.iat > int((now + CLOCKS_DIFFER).timestamp()) else claims.found


def refusal_of(reason: NotProved) -> str:
    """What the verify call says of a text that proves nothing."""
    return "malformed" if reason == "malformed" else "unknown"


def judge(found: Found, has_ended: Callable[[Found], bool], asked: Asked, now: datetime) -> str:
    """The verdict on one use, as its code. Validity is half open: dead at the instant of expiry."""
    if has_ended(found):
        return "revoked"
    if found.expires_at is not None and now >= found.expires_at:
        return "expired"
    proof = _judge_proof(found.confirmation, asked)
    if proof != "valid":
        return proof
    if found.networks is not None and (asked.client_ip is None or not contain(found.networks, asked.client_ip)):
        return "network_not_allowed"
    if not any(is_same_audience(own, asked.audience) for own in found.audiences):
        return "audience_mismatch"
    return judge_rights(found, asked)


class Rights(Protocol):
    """What is asked of a credential that is for this API."""

    @property
    def environment(self) -> Literal["live", "test"] | None: ...
    @property
    def permissions(self) -> Sequence[str]: ...
    @property
    def objects(self) -> Sequence[str]: ...
    @property
    def whatever_object(self) -> bool: ...


def judge_rights(found: Found, asked: Rights) -> str:
    """The last part of it: whether it is for the data that is asked about, and may do what is asked, to what it is asked for."""
    if asked.environment not in (None, found.environment):
        return "audience_mismatch"
    if not found.permissions.issuperset(asked.permissions):
        return "permission_missing"
    if found.objects is not None and not asked.objects and not asked.whatever_object:
        return "object_required"
    if found.objects is not None and not all(covers(found.objects, name) for name in asked.objects):
        return "object_not_allowed"
    return "valid"


def _judge_proof(bound_to: Confirmation, asked: Asked) -> str:
    """All that it is bound to must be proved.

    A proof that does not hold refuses a bearer credential too: whoever sends one must not believe it was checked. A DPoP proof is
    made for a credential that is bound to its key, so that one that is not was taken for another (RFC 9449, section 7.2). A
    certificate comes with every request on its connection, and says nothing of the credential.
    """
    members = ((bound_to.key, asked.key), (bound_to.certificate, asked.certificate))
    if any(own is not None and shown is None for own, shown in members):
        return "proof_required"
    wrong = any(shown is not None and (shown.is_invalid or own not in (None, shown.held)) for own, shown in members)
    for_another = bound_to.key is None and asked.key is not None
    return "proof_invalid" if wrong or for_another else "valid"


def is_same_audience(one: str, other: str) -> bool:
    """Whether two texts name one API: they are compared as strings, but an empty path equals `/` (RFC 3986, section 6.2.3)."""
    return one == other or _EMPTY_PATH.sub(r"\1", one, count=1) == _EMPTY_PATH.sub(r"\1", other, count=1)
