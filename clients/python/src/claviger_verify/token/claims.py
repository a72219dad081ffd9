"""What an access token says when it is a JWT: the claims of RFC 9068, and Claviger's.

The list is closed. A claim that is not known here may be a restriction that a later version makes, and whoever passed over it
would allow what the token does not: so it is refused. Signature and time are not this room's to judge.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from .found import Confirmation, Found, Party
from .id import is_access_token_id, is_credential_id, is_organization_id, is_principal_id, is_service_account_id
from .json_object import has_only, is_count
from .network import read_networks
from .object import is_object_set
from .permission import read_scope
from .text import is_thumbprint

_KNOWN = (
    *("iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "org", "cred", "epoch", "env"),
    *("objects", "networks", "cnf", "authorization_details", "status", "act"),
)
_MOST_ACTORS = 8
_MOST_OBJECTS_OF_DETAILS = 100
# The end of the year 9999.
_LAST = 253_402_207_200


@dataclass(frozen=True, slots=True)
class Claims:
    """Who made the token and when, and what it says."""

    iss: str
    iat: int
    exp: int
    found: Found


def read_claims(claims: dict[str, Any]) -> Claims | None:
    """Reads the claims, if all of them are understood."""
    if not has_only(claims, _KNOWN):
        return None
    aud, iat, exp, env = claims.get("aud"), claims.get("iat"), claims.get("exp"), claims.get("env")
    iss, sub, jti, org, cred = (claims.get(name) for name in ("iss", "sub", "jti", "org", "cred"))
    audiences = [aud] if isinstance(aud, str) else aud
    permissions = read_scope(claims.get("scope", ""))
    networks = read_networks(claims["networks"]) if "networks" in claims else ()
    confirmation = _read_confirmation(claims["cnf"]) if "cnf" in claims else Confirmation()
    objects = claims.get("objects")
    if not isinstance(iss, str) or not is_principal_id(sub) or not is_access_token_id(jti):
        return None
    if not is_organization_id(org) or not is_credential_id(cred) or not is_service_account_id(claims.get("client_id")):
        return None
    if not _is_texts(audiences) or not is_time(iat) or not is_time(exp) or not is_count(claims.get("epoch")):
        return None
    if env not in ("live", "test") or permissions is None or networks is None or confirmation is None:
        return None
    if "objects" in claims and not is_object_set(objects):
        return None
    if "authorization_details" in claims and not _are_details(claims["authorization_details"]):
        return None
    if ("status" in claims and not _is_status(claims["status"])) or ("act" in claims and not _is_actor(claims["act"])):
        return None
    found = Found(
        credential=cred,
        kind="access_token",
        name="",
        generation=None,
        environment=env,
        principal=Party(sub),
        organization=Party(org),
        permissions=permissions,
        audiences=tuple(audiences),
        objects=None if objects is None else tuple(objects),
        networks=networks or None,
        expires_at=datetime.fromtimestamp(exp, UTC),
        confirmation=confirmation,
        epoch=claims["epoch"],
        token=jti,
        metadata={},
    )
    return Claims(iss, iat, exp, found)


def is_time(value: object) -> TypeGuard[int]:
    """Whether a value is a number of whole seconds since 1970."""
    return type(value) is int and 0 <= value <= _LAST


def _is_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(entry, str) for entry in value)


def _read_confirmation(value: object) -> Confirmation | None:
    """A `cnf` claim (RFC 7800), if it names something that must be proved, and nothing that is not understood."""
    if not isinstance(value, dict) or not value or not has_only(value, ("jkt", "x5t#S256")):
        return None
    return Confirmation(value.get("jkt"), value.get("x5t#S256")) if all(map(is_thumbprint, value.values())) else None


def _are_details(value: object) -> bool:
    """RFC 9396."""
    if not isinstance(value, list):
        return False
    known = ("type", "objects")
    sound = all(
        isinstance(detail, dict)
        and has_only(detail, known)
        and detail.get("type") == "objects"
        and is_object_set(detail.get("objects"))
        for detail in value
    )
    return sound and 1 <= sum(len(detail["objects"]) for detail in value) <= _MOST_OBJECTS_OF_DETAILS


def _is_status(value: object) -> bool:
    """A place in a status list."""
    if not isinstance(value, dict) or not has_only(value, ("status_list",)):
        return False
    place = value.get("status_list")
    sound = isinstance(place, dict) and has_only(place, ("idx", "uri")) and is_count(place.get("idx"))
    return sound and isinstance(place, dict) and isinstance(place.get("uri"), str)


def _is_actor(value: object) -> bool:
    """RFC 8693, section 4.1."""
    for _ in range(_MOST_ACTORS):
        if not isinstance(value, dict) or not has_only(value, ("sub", "act")) or not is_principal_id(value.get("sub")):
            return False
        if "act" not in value:
            return True
        value = value["act"]
    return False
