"""JSON that says each thing once.

Of two members with one name some readers take the first and some the last, so that one text could mean two things (RFC 8725,
section 2.4).
"""

import json
from collections.abc import Collection
from typing import Any, NoReturn

_MOST_MEMBERS = 100


def read_object(text: bytes) -> dict[str, Any] | None:
    """Reads a JSON object in whose whole text no object has two members with one name, at any depth."""
    try:
        decoded = text.decode()
        value = json.loads(decoded, object_pairs_hook=_once, parse_constant=_no_constant)
        if "\\u" in decoded:
            # Half of a pair of surrogates is no text.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def has_only(members: Collection[str], known: Collection[str]) -> bool:
    """Whether an object has no members but these."""
    return all(name in known for name in members)


def is_count(value: object) -> bool:
    """Whether a value is a number of things, as 64 bits hold it."""
    return type(value) is int and 0 <= value < 1 << 64


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(members)
    if len(read) != len(members) or len(read) > _MOST_MEMBERS:
        raise ValueError("an object says something twice, or too much")
    return read


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
