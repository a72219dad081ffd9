"""On what something may be done: instances of things in the customer's API, written `type:id`.

What two readers could take for two different objects is refused.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import TypeGuard

_LONGEST = 512
_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ENCODED_SLASH = re.compile(r"%2f|%5c|\\", re.IGNORECASE)
_ENCODED_DOT = re.compile(r"%2e", re.IGNORECASE)


def _id_of(text: object) -> str | None:
    """What stands after the type, if everything but the rules about `*` and segments is kept."""
    if not isinstance(text, str) or len(text.encode(errors="replace")) > _LONGEST:
        return None
    kind, colon, name = text.partition(":")
    if not colon or _TYPE.fullmatch(kind) is None:
        return None
    # Controls, and halves of pairs of surrogates.
    strange = any(c.isspace() or unicodedata.category(c) in ("Cc", "Cs") for c in name)
    return None if strange else name


def _has_sound_segments(name: str) -> bool:
    if "*" in name or _ENCODED_SLASH.search(name):
        return False
    # An API that decodes its path late would read `%2e%2e` as `..`.
    return all(segment and _ENCODED_DOT.sub(".", segment) != ".." for segment in name.split("/"))


def is_object_name(text: object) -> TypeGuard[str]:
    """Whether a text names one object."""
    name = _id_of(text)
    return name is not None and _has_sound_segments(name)


def _is_pattern(text: object) -> bool:
    """Whether a text is an entry of a limit: an object, or the beginning of one with a `*` directly after `:` or `/`."""
    name = _id_of(text)
    if name is None:
        return False
    if not name.endswith("*"):
        return _has_sound_segments(name)
    return name == "*" or (name.endswith("/*") and _has_sound_segments(name[:-2]))


def is_object_set(value: object) -> TypeGuard[list[str]]:
    """Whether a value is a limit. None is empty: "no limit" is its absence."""
    return isinstance(value, list) and len(value) > 0 and all(map(_is_pattern, value))


def covers(limit: Iterable[str], name: str) -> bool:
    """Whether any entry of a limit is this object, or has it below itself."""
    return any(name.startswith(entry[:-1]) if entry.endswith("*") else entry == name for entry in limit)
