"""What stands before a service: finds the credential of a request, and says how a request is refused (RFC 6750, RFC 9457).

The room must not know which framework asks.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from .refusal import REFUSALS
from .token.permission import is_permission

# The longest credential that is looked at.
_LONGEST = 8 * 1024
_AUTHORIZATION = re.compile(r"(bearer|dpop) (.*)", re.IGNORECASE | re.DOTALL)
_PRINTED = re.compile(r"[!-~]+")
_LINE = re.compile(r"[\t -~]*")

_OTHERS: dict[str, tuple[int, str]] = {
    "unauthenticated": (401, "This needs a credential: Authorization: Bearer …"),
    "ambiguous_credentials": (400, "Present one credential, in one header."),
    "unavailable": (503, "The credential cannot be verified right now; try again."),
}


class NotAdmitted(Exception):
    """A request that is refused, with its code."""

    def __init__(self, code: str, retry_after: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Presented:
    """The credential of a request, and its proof of possession."""

    credential: str
    dpop: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a request is refused."""

    status: int
    code: str
    detail: str
    headers: dict[str, str]

    @property
    def problem(self) -> dict[str, object]:
        """As a problem document (RFC 9457)."""
        return {"status": self.status, "code": self.code, "title": HTTPStatus(self.status).phrase, "detail": self.detail}


def permissions_of(permissions: Sequence[str]) -> tuple[str, ...]:
    """The permissions that somebody must have: one, or a list of which all are wanted."""
    permissions = (permissions,) if isinstance(permissions, str) else tuple(permissions)
    for permission in permissions:
        if not is_permission(permission):
            raise ValueError(f"{permission!r} is no permission: one is written like invoices:read")
    return permissions


def presented(headers: Callable[[str], list[str]]) -> Presented:
    """The credential of a request. Two of them, or two proofs, are nobody's."""
    authorization, key, dpop = _one(headers, "authorization"), _one(headers, "x-api-key"), _one(headers, "dpop")
    key = key if key is None else key.strip()
    written = _AUTHORIZATION.fullmatch((authorization or "").strip())
    scheme = written[1].lower() if written else None
    authorized = written[2].strip() if written else None
    if authorized is not None and key is not None and authorized != key:
        raise NotAdmitted("ambiguous_credentials")
    credential = key if authorized is None else authorized
    if credential is None:
        raise NotAdmitted("unauthenticated")
    if len(credential) > _LONGEST or _PRINTED.fullmatch(credential) is None:
        raise NotAdmitted("malformed")
    # RFC 9449, section 7.2: what is bound must not be taken as if it were not.
    if scheme == "bearer" and dpop is not None:
        raise NotAdmitted("proof_invalid")
    if scheme == "dpop" and dpop is None:
        raise NotAdmitted("proof_required")
    return Presented(credential, dpop)


def _one(headers: Callable[[str], list[str]], name: str) -> str | None:
    values = headers(name)
    if len(values) > 1 or any(_LINE.fullmatch(value) is None for value in values):
        raise NotAdmitted("ambiguous_credentials")
    return values[0] if values else None


def refusal_of(refused: NotAdmitted, issuer: str, permissions: Sequence[str]) -> Refusal:
    """How a request is refused."""
    # A malformed text looks like an unknown one.
    code = "unknown" if refused.code == "malformed" else refused.code
    status, detail = _OTHERS.get(code) or REFUSALS[code]
    headers = {"x-claviger-code": code, "cache-control": "no-store"}
    retry_after = 1 if code == "unavailable" else refused.retry_after
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    challenge = f'Bearer realm="{issuer}"'
    if code == "unauthenticated":
        headers["www-authenticate"] = challenge
    elif status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = f'{challenge}, error="invalid_token"'
    elif status == HTTPStatus.FORBIDDEN:
        headers["www-authenticate"] = f'{challenge}, error="insufficient_scope", scope="{" ".join(permissions)}"'
    return Refusal(status, code, detail, headers)
