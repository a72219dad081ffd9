"""An instance as it is followed beside the requests: its keys, what ended, what changed.

What cannot be heard is asked for again, with pauses that grow, whatever the reason: an instance that is followed no more would be
away for good.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx

from ..token.ended import Document, Ended, read_ended
from ..token.feed import Events, Names, NoMessage
from ..token.key import Keys, are_same_keys, read_keys
from .clock import Clock, Heard, monotonic
from .remote import Remote, RemoteError
from .settings import Settings

# After other keys were named they are read at once, and again after these seconds: the node that is asked may not know of them
# for a moment.
_READ_KEYS_AGAIN = (0.3, 1.0)
# How often keys are read again though nothing says that there are others.
_READ_KEYS_EVERY = 60.0
# How long whoever presents an unknown key waits for the next reading of keys at most: nobody can make us ask more often.
KEYS_PAUSE = 5.0
# Pauses between attempts: longer while they fail.
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 1.0
# Between two questions what ended: this after news, and this after an answer without them that came at once, with as much by
# chance.
_AFTER_NEWS = 0.1
_AFTER_NOTHING = 0.5

# For how many seconds names may be withheld before nothing that is kept counts: some come in the next message.
_WITHHELD_FOR = 1.0

# What may go wrong on the way to the instance and back, for those who ask.
OUTAGES = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, RemoteError, NoMessage)

_log = logging.getLogger("claviger_verify")


class Following:
    """What was heard of an instance, and when."""

    def __init__(self, remote: Remote, settings: Settings, clock: Clock, names: Names) -> None:
        self.keys: Keys = {}
        self.keys_heard = Heard()
        self.ended = Ended()
        self.ended_heard = Heard()
        self.changes_heard = Heard()
        self._remote, self._settings, self._clock, self._names = remote, settings, clock, names
        # Held by whoever reads keys, with when that was done last.
        self._reading_keys = asyncio.Lock()
        self._keys_read_at = float("-inf")
        self._are_keys_read = False
        self._readings: set[asyncio.Task[None]] = set()
        self._other_keys = asyncio.Event()
        # Of the feeds that cannot be heard.
        self._silent: set[str] = set()

    def are_changes_heard(self, age: float) -> bool:
        """Whether changes were heard within so many seconds, all of them: names may be withheld for a moment."""
        since = self._names.withheld_since
        return self.changes_heard.within(age) and (since is None or monotonic() - since <= _WITHHELD_FOR)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows, meanwhile."""
        tasks = [asyncio.create_task(follow()) for follow in (self._follow_keys, self._follow_ended, self._follow_changes)]
        try:
            yield
        finally:
            tasks += self._readings
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def read_keys(self, pause: float) -> None:
        """Reads the keys, unless that was done within `pause`: if it failed then, it fails now.

        Whoever waits no longer ends the reading for nobody else.
        """
        reading = asyncio.create_task(self._read_keys(pause))
        self._readings.add(reading)
        reading.add_done_callback(self._readings.discard)
        await asyncio.shield(reading)

    async def _read_keys(self, pause: float) -> None:
        async with self._reading_keys:
            if monotonic() - self._keys_read_at < pause:
                if not self._are_keys_read:
                    raise RemoteError("the keys could not be read")
                return
            self._are_keys_read = False
            try:
                keys = read_keys(await self._remote.keys())
            finally:
                # Also after an error: whoever asks again at once gets the same.
                self._keys_read_at = monotonic()
            if keys is None:
                raise RemoteError("the answer is no set of keys")
            if not are_same_keys(self.keys, keys):
                # What was proved by others is proved anew.
                self.keys = keys
            self.keys_heard.now()
            self._are_keys_read = True

    async def _follow_keys(self) -> None:
        pause = _SHORTEST_PAUSE
        again: list[float] = []
        while True:
            try:
                await self.read_keys(0)
            except Exception as error:
                self._tell("the keys of the instance", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            self._tell("the keys of the instance")
            pause = _SHORTEST_PAUSE
            try:
                async with asyncio.timeout(again.pop(0) if again else _READ_KEYS_EVERY):
                    await self._other_keys.wait()
            except TimeoutError:
                continue
            self._other_keys.clear()
            again = list(_READ_KEYS_AGAIN)

    async def _follow_ended(self) -> None:
        pause, tag = _SHORTEST_PAUSE, None
        while True:
            began = monotonic()
            try:
                document = await self._remote.ended(tag)
                is_news = document.text is not None and (document.tag is None or document.tag != tag)
                received = monotonic()
                if document.text is not None:
                    await self._take_ended(document.text.decode("ascii", "replace"))
            except Exception as error:
                self._tell("the feed of what ended", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            tag, pause = document.tag, _SHORTEST_PAUSE
            self.ended_heard.now()
            self._tell("the feed of what ended")
            # A long document takes its time, in which nobody else is served: as much is left to them.
            after_news = max(_AFTER_NEWS, monotonic() - received)
            after_nothing = _AFTER_NOTHING * (1 + random.random()) - (monotonic() - began)
            await asyncio.sleep(after_news if is_news else max(after_nothing, 0))

    async def _take_ended(self, text: str) -> None:
        document = self._read_ended(text)
        if document == "unknown_key":
            await self.read_keys(KEYS_PAUSE)
            document = self._read_ended(text)
        if not isinstance(document, Document):
            raise RemoteError(f"the document does not count: {document}")
        self.ended.take(document, self._clock.now())

    def _read_ended(self, text: str) -> Document | str:
        return read_ended(text, self.keys, self._settings.issuer, self._clock.now())

    async def _follow_changes(self) -> None:
        pause, last = _SHORTEST_PAUSE, None
        while True:
            events = Events()
            try:
                async with self._remote.changes(last) as response:
                    self._clock.was_told(response.headers.get("date"))
                    async for piece in response.aiter_raw():
                        for message in events.take(piece):
                            self._names.take(message, monotonic())
                            if message.reset or any(change.is_of_keys for change in message.changes):
                                self._other_keys.set()
                            last, pause = message.next, _SHORTEST_PAUSE
                            if message.more:
                                # Whatever was not told may concern what is kept.
                                continue
                            self.changes_heard.now()
                            self._tell("the change feed")
            except Exception as error:
                if isinstance(error, RemoteError) and error.status == 400:
                    # It does not understand where we are: another version may not.
                    last = None
                self._tell("the change feed", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _tell(self, what: str, error: Exception | None = None) -> None:
        """Tells once that something cannot be heard, and once that it is heard again."""
        if (what in self._silent) == (error is not None):
            return
        # A logger that fails changes nothing of what is known.
        with suppress(Exception):
            if error is None:
                self._silent.discard(what)
                _log.warning("%s: heard again", what)
            else:
                self._silent.add(what)
                _log.warning("%s: %s: %s", what, type(error).__name__, error)
