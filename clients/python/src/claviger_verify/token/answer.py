"""An answer of the verify call, and the facts that it holds for whoever decides alone."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..refusal import TOLD
from .found import Confirmation, Found, Party
from .id import is_credential_id, is_organization_id, is_principal_id
from .json_object import has_only, is_count
from .network import Network, read_networks
from .object import is_object_set
from .permission import is_permission

_KINDS = ("api_key", "personal_access_token", "access_token")
_GENERATIONS = (None, "current", "retiring", "retired")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})")


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict on what was asked.

    `found` is the credential, if it is valid; `max_age` for how many seconds it may be decided from these facts alone, if it may;
    `retry_after` when to try again, if a limit refused.
    """

    code: str
    found: Found | None = None
    max_age: int | None = None
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class _Cache:
    max_age: int
    audiences: tuple[str, ...]
    networks: tuple[Network, ...] | None
    epoch: int


def read_answer(body: object) -> Answer | None:
    """Reads the body of an answer with status 200, if it is one."""
    if not isinstance(body, dict):
        return None
    code, retry = body.get("code"), body.get("retry_after_seconds")
    retry_after = retry if isinstance(retry, int) and is_count(retry) else None
    # What is there must be understood: it may be all that is allowed.
    if body.get("objects") is not None and not is_object_set(body["objects"]):
        return None
    if code != "valid":
        return Answer(code, retry_after=retry_after) if isinstance(code, str) and code in TOLD else None
    # Without a word nobody knows whether it is for all of them.
    if "objects" not in body:
        return None
    cache = _read_cache(body.get("cache"))
    found = _read_found(body, cache)
    return None if found is None else Answer("valid", found, cache.max_age if cache else None, retry_after)


def _read_cache(cache: object) -> _Cache | None:
    """What is not understood here may be a condition, so that such an answer is not decided from."""
    if not isinstance(cache, dict) or not has_only(cache, ("max_age_seconds", "audiences", "networks", "epoch")):
        return None
    max_age, audiences, epoch = cache.get("max_age_seconds"), cache.get("audiences"), cache.get("epoch")
    if "networks" not in cache or not is_count(max_age) or not is_count(epoch):
        return None
    networks = read_networks(cache["networks"]) if cache["networks"] is not None else ()
    if networks is None or not isinstance(audiences, list) or not all(isinstance(entry, str) for entry in audiences):
        return None
    return _Cache(cache["max_age_seconds"], tuple(audiences), networks or None, cache["epoch"])


def _read_found(body: dict[str, Any], cache: _Cache | None) -> Found | None:
    credential, permissions, objects = body.get("credential"), body.get("permissions"), body.get("objects")
    principal = _read_party(body.get("principal"), "name")
    organization = _read_party(body.get("organization"), "slug")
    if not isinstance(credential, dict) or principal is None or organization is None or body.get("metadata") is None:
        return None
    if not is_credential_id(credential.get("id")) or not isinstance(credential.get("name"), str):
        return None
    if credential.get("kind") not in _KINDS or credential.get("environment") not in ("live", "test"):
        return None
    if credential.get("generation") not in _GENERATIONS:
        return None
    if not isinstance(permissions, list) or not all(map(is_permission, permissions)):
        return None
    # No word of its end is not that it has none.
    given = credential.get("expires_at", "")
    expires_at = None if given is None else _time_of(given)
    if given is not None and expires_at is None:
        return None
    if not is_principal_id(principal.id) or not is_organization_id(organization.id):
        return None
    return Found(
        credential=credential["id"],
        kind=credential["kind"],
        name=credential["name"],
        generation=credential.get("generation"),
        environment=credential["environment"],
        principal=principal,
        organization=organization,
        permissions=frozenset(permissions),
        audiences=cache.audiences if cache else (),
        objects=None if objects is None else tuple(objects),
        networks=cache.networks if cache else None,
        expires_at=expires_at,
        confirmation=Confirmation(),
        epoch=cache.epoch if cache else 0,
        token=None,
        metadata=body["metadata"],
    )


def _read_party(value: object, name: str) -> Party | None:
    if not isinstance(value, dict):
        return None
    members = (value.get("id"), value.get(name), value.get("external_id"))
    if not isinstance(members[0], str) or not isinstance(members[1], str) or not isinstance(members[2], str | None):
        return None
    return Party(members[0], members[1], members[2])


def _time_of(text: object) -> datetime | None:
    """A time as RFC 3339 writes it."""
    if not isinstance(text, str) or _TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
