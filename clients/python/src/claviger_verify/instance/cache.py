"""Opaque credentials in memory, by the hash of what was presented.

An entry counts while it is young, nothing of it was named, and the feed is heard.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from ..token.feed import Names, Place
from ..token.found import Found

# The longest that anything is kept, in seconds.
_LONGEST = 60.0
# For how long a refusal is remembered: it may be mended meanwhile.
_REFUSED_FOR = 1.0
# For how long everybody asks about what could not be kept, side by side.
NOT_KEPT_FOR = 1.0
# How many refusals are kept, apart from the rest: strangers push out nobody but each other.
_MOST_REFUSALS = 1000

T = TypeVar("T")


class Bounded(Generic[T]):
    """So many entries at most: whoever was not wanted for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str) -> T | None:
        """The entry of this name."""
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def set(self, key: str, entry: T) -> None:
        """Keeps an entry."""
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def remove(self, key: str) -> None:
        """Forgets an entry."""
        self._entries.pop(key, None)


@dataclass(frozen=True, slots=True)
class Entry:
    """A credential that is valid, and of which time that is known."""

    found: Found
    place: Place


@dataclass(frozen=True, slots=True)
class Refused:
    """A credential that does not count."""

    code: str


# What is known: a valid credential, a refusal, or that nobody but the instance may decide.
Known = Entry | Refused | Literal["asked"]


class Opaque:
    """What is known of opaque credentials."""

    def __init__(self, entries: int) -> None:
        self.names = Names()
        self._entries: Bounded[tuple[Entry | Literal["asked"], float]] = Bounded(entries)
        self._refusals: Bounded[tuple[Refused, float]] = Bounded(_MOST_REFUSALS)

    def known(self, key: str, now: float) -> Known | None:
        """What is known of it and still counts, as far as is known."""
        refused = self._refusals.get(key)
        if refused is not None and now < refused[1]:
            return refused[0]
        kept = self._entries.get(key)
        if kept is None:
            return None
        known, ends_at = kept
        if now < ends_at and (not isinstance(known, Entry) or self.holds(known)):
            return known
        self._entries.remove(key)
        return None

    def keep(self, key: str, entry: Entry, max_age: float, asked_at: float) -> bool:
        """Keeps what was answered, unless a change overtook it, or it is for this use alone: says whether it did."""
        if max_age == 0 or not self.names.know_since(entry.place) or not self.holds(entry):
            return False
        self._entries.set(key, (entry, asked_at + min(max_age, _LONGEST)))
        return True

    def keep_asked(self, key: str, now: float, time: float = _LONGEST) -> None:
        """Keeps that it must be asked about with every use, for a while."""
        self._entries.set(key, ("asked", now + time))

    def keep_refusal(self, key: str, code: str, now: float) -> None:
        """Keeps a refusal, for a moment. What was known before is over for longer than that."""
        self._entries.remove(key)
        self._refusals.set(key, (Refused(code), now + _REFUSED_FOR))

    def holds(self, entry: Entry) -> bool:
        """Whether nothing of it was named since it was read."""
        found = entry.found
        return self.names.hold(entry.place, (found.credential, found.principal.id, found.organization.id))
