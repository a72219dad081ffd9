"""The change feed as it is received: messages out of bytes, and the names that void what is kept."""

import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .id import is_credential_id, is_organization_id, is_principal_id

# The longest event that is taken.
_LONGEST = 16 << 20
# How long a name is remembered, in seconds: longer than anything is kept.
REMEMBERED = 90.0
# How many names are remembered. With more, all that is kept is void.
_MOST_NAMES = 500_000

_KINDS = {"credential": is_credential_id, "principal": is_principal_id, "organization": is_organization_id}
_POSITION = re.compile(r"-?[0-9]{1,18}")


class NoMessage(Exception):
    """What came is no event of the feed."""


@dataclass(frozen=True, slots=True)
class Change:
    """Whom a change concerns: an id, or `None` for everybody; and whether it is one of the keys that sign tokens."""

    sequence: int
    concerns: str | None
    is_of_keys: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the feed. With `more`, names are withheld that come in another."""

    reset: bool
    next: str
    position: int
    more: bool
    changes: list[Change]


class Events:
    """Server-sent events out of pieces of any length."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._searched = 0

    def take(self, piece: bytes) -> list[Message]:
        """Takes what came, and returns the messages that are complete.

        What is no message is one that cannot be trusted any more: the connection is to be made anew.
        """
        self._received += piece
        messages, begin = [], 0
        while (end := self._received.find(b"\n\n", max(begin, self._searched))) >= 0:
            message = _read_event(bytes(self._received[begin:end]))
            if message is not None:
                messages.append(message)
            begin = end + 2
        del self._received[:begin]
        self._searched = max(len(self._received) - 1, 0)
        if len(self._received) > _LONGEST:
            raise NoMessage
        return messages


def _read_event(event: bytes) -> Message | None:
    data = next((line[6:] for line in event.split(b"\n") if line.startswith(b"data: ")), None)
    if data is None:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        raise NoMessage from None
    if not isinstance(message, dict):
        raise NoMessage
    reset, following, position = message.get("reset"), message.get("next"), message.get("position")
    # An instance of before does not say whether there is more.
    changes, more = message.get("changes"), message.get("more", False)
    if not isinstance(reset, bool) or not isinstance(following, str) or not _is_number(position) or not isinstance(changes, list):
        raise NoMessage
    if not isinstance(more, bool):
        raise NoMessage
    return Message(reset, following, int(message["position"]), more, [_read_change(change) for change in changes])


def _is_number(value: object) -> bool:
    return type(value) is int


def _read_change(change: object) -> Change:
    """What is not understood may concern anybody."""
    if not isinstance(change, dict) or not _is_number(change.get("sequence")) or not isinstance(change.get("kind"), str):
        raise NoMessage
    kind, name = change["kind"], change.get("id")
    is_known = kind in _KINDS and _KINDS[kind](name)
    return Change(change["sequence"], name if is_known else None, kind == "signing_keys")


@dataclass(frozen=True, slots=True)
class Place:
    """Which beginning it is, and up to where all was told: to be noted before something is asked that will be kept."""

    beginning: int
    position: int


class Names:
    """What was named lately, and what that voids."""

    def __init__(self) -> None:
        # Counts the times at which all began anew; 0 before the first.
        self._beginning = 0
        # Up to where all was told, as was said last.
        self._position = 0
        # What was read at a lower position may have been voided by what nobody remembers.
        self._floor = 0
        self._everything = 0
        # Since when messages withhold names, if the last one did.
        self._withheld_since: float | None = None
        self._sequences: dict[str, int] = {}
        # In the order in which they came.
        self._order: deque[tuple[str, int, float]] = deque()

    def take(self, message: Message, now: float) -> None:
        """Takes a message. Messages may come twice, and numbers in any order. `now` is of a clock that never jumps."""
        if message.reset:
            self._beginning += 1
            self._floor, self._everything, self._withheld_since = message.position, 0, None
            self._sequences.clear()
            self._order.clear()
        self._position = message.position
        if not message.more:
            self._withheld_since = None
        elif self._withheld_since is None:
            self._withheld_since = now
        for change in message.changes:
            if change.concerns is None:
                # An answer about a token does not say by which key that was signed, so that keys concern everybody.
                self._everything = max(self._everything, change.sequence)
            else:
                self._sequences[change.concerns] = max(change.sequence, self._sequences.get(change.concerns, change.sequence))
                self._order.append((change.concerns, change.sequence, now))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._order:
            concerns, sequence, at = self._order[0]
            too_many = len(self._order) > _MOST_NAMES
            if not too_many and now - at < REMEMBERED:
                break
            if too_many:
                # Forgotten before its time: what is older cannot be told from it.
                self._everything = max(self._everything, sequence)
            self._floor = max(self._floor, sequence)
            self._order.popleft()
            if self._sequences.get(concerns) == sequence:
                del self._sequences[concerns]

    def place(self) -> Place:
        """Where it is."""
        return Place(self._beginning, self._position)

    @property
    def withheld_since(self) -> float | None:
        """Since when there are names that were not told, if there are: what is kept may be void already."""
        return self._withheld_since

    def know_since(self, place: Place) -> bool:
        """Whether what was asked after this beginning, and answered at this position, may be kept at all."""
        return place.beginning == self._beginning and self._beginning > 0 and place.position >= self._floor

    def hold(self, place: Place, concerned: Iterable[str]) -> bool:
        """Whether it still holds: nothing of it was named above its position since."""
        if place.beginning != self._beginning or self._everything > place.position:
            return False
        return all(self._sequences.get(name, place.position) <= place.position for name in concerned)


def position_of(told_before: int, header: str | None) -> int | None:
    """The position of an answer, if there is one.

    What its header says may be of a log that the node has not noticed to be another by now, so that no more is believed than was
    told before it was asked for.
    """
    if header is None or _POSITION.fullmatch(header) is None:
        return None
    return min(told_before, int(header))
