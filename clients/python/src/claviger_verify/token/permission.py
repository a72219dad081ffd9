"""What may be done: permissions, which OAuth calls scopes."""

import re
from typing import TypeGuard

_LONGEST = 128
_FORM = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:/-]*[A-Za-z0-9])?")
_SPACE = re.compile(r"[ \t\n\f\r]+")


def is_permission(text: object) -> TypeGuard[str]:
    """Whether a text is a permission, such as `invoices:read`."""
    return isinstance(text, str) and len(text) <= _LONGEST and _FORM.fullmatch(text) is not None


def read_scope(text: object) -> frozenset[str] | None:
    """The permissions of a scope (RFC 8693, section 4.2), if it is one."""
    if not isinstance(text, str):
        return None
    permissions = [permission for permission in _SPACE.split(text) if permission]
    return frozenset(permissions) if all(map(is_permission, permissions)) else None
