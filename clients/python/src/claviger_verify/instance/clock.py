"""Where the time is read: a clock that never jumps for ages, and the instance's for what credentials say.

A service whose own clock is off by minutes would otherwise take what has ended, or refuse what has not.
"""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# What is within these seconds of the time that is known is taken for the same: answers take a while, and tell whole seconds.
_TOLERATED = 3.0

monotonic = time.monotonic


class Clock:
    """The time as the instance sees it.

    It goes on with the clock that never jumps: whoever sets the machine's clock changes nothing.
    """

    def __init__(self) -> None:
        self._began = time.time() - monotonic()

    def now(self) -> datetime:
        """Now."""
        return datetime.fromtimestamp(self._began + monotonic(), UTC)

    def was_told(self, date: str | None) -> None:
        """Notes what time the instance said it was, just now, as HTTP writes it."""
        try:
            told = parsedate_to_datetime(date or "").timestamp()
        except (ValueError, OverflowError):
            return
        if abs(told - self.now().timestamp()) > _TOLERATED:
            self._began = told - monotonic()


class Heard:
    """When something was heard last; at first, never."""

    def __init__(self) -> None:
        self._at = float("-inf")

    def now(self) -> None:
        """It is heard."""
        self._at = monotonic()

    def within(self, age: float) -> bool:
        """Whether that was so many seconds ago at most."""
        return monotonic() - self._at <= age
