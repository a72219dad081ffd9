"""Counting what is decided here, and telling the instance of it, in batches.

What is not told yet is lost with the process, unless that ends in order: ten seconds of uses at most, while the instance is there.
Whatever is lost is counted, and told once. The room must not decide.
"""

import asyncio
import json
import logging
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from ..token.found import Found
from .remote import Remote, RemoteError

# How often what was counted is told at least, in seconds, so that a crash loses no more.
_EVERY = 8.0
# How many uses one report has.
_MOST_USES = 100
# How many bytes one report has: the instance reads 64 KiB.
_MOST_BYTES = 48 << 10
# The most that one item of a report counts.
_MOST_COUNT = 1_000_000
# How many different uses are counted between two reports; what comes beyond is not.
_MOST_COUNTED = 50_000
# How many permissions of one use are told.
_MOST_PERMISSIONS = 50
# Statuses of a report of which less may be taken.
_OF_CONTENT = (413, 422)
# Statuses of a report that nobody will take. Whatever else is said, also by a proxy, may pass: the report waits.
_REFUSED = (400, 405, *_OF_CONTENT)

_log = logging.getLogger("claviger_verify")

Report = dict[str, Any]


@dataclass(slots=True)
class _Count:
    uses: int
    permissions: dict[str, int]
    last: datetime
    client_ip: IPv4Address | IPv6Address | None


# What is counted together: a credential, its generation, a verdict and an hour.
_What = tuple[str, str | None, str, int]


@dataclass(slots=True)
class Usage:
    """Uses that were judged here."""

    lost: int = 0
    """How many of them are counted nowhere."""
    _counts: dict[_What, _Count] = field(default_factory=dict)
    # What was counted before, and is told now. It becomes reports one by one: all at once would hold up everybody else.
    _taken: deque[tuple[_What, _Count]] = field(default_factory=deque)
    # Those that the instance did not take yet.
    _waiting: deque[Report] = field(default_factory=deque)
    _is_over: bool = False
    # Whether it was told that no more are counted, since they were taken last.
    _is_full_told: bool = False
    # Held by whoever reports.
    _reporting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def count(
        self,
        found: Found,
        code: str,
        permissions: Sequence[str],
        client_ip: IPv4Address | IPv6Address | None,
        now: datetime,
    ) -> None:
        """Counts one use of what is known."""
        what = (found.credential, found.generation, code, int(now.timestamp()) // 3600)
        count = self._counts.get(what)
        if count is None:
            if len(self._counts) >= _MOST_COUNTED or self._is_over:
                self._lose_for_want_of_room()
                return
            count = self._counts[what] = _Count(0, {}, now, None)
        count.uses += 1
        count.last = max(count.last, now)
        count.client_ip = client_ip or count.client_ip
        # Whoever asks for one twice asks for it once.
        for permission in dict.fromkeys(permissions):
            if permission in count.permissions or len(count.permissions) < _MOST_PERMISSIONS:
                count.permissions[permission] = count.permissions.get(permission, 0) + 1

    @asynccontextmanager
    async def running(self, remote: Remote, last_within: float) -> AsyncIterator[None]:
        """Reports every few seconds, meanwhile, and a last time, within so many seconds."""
        self._is_over = False
        reporting = asyncio.create_task(self._report_every_while(remote))
        try:
            yield
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(last_within):
                        await self.report(remote)
            finally:
                self._end()

    async def _report_every_while(self, remote: Remote) -> None:
        while True:
            # Those that were started together do not all come at once.
            await asyncio.sleep(_EVERY * (1 - random.random() / 4))
            await self.report(remote)

    async def report(self, remote: Remote) -> None:
        """Tells the instance what was counted. What it does not take now it is told the next time, in the same words."""
        async with self._reporting:
            await self._report_waiting(remote)
            # While reports wait, what is counted meanwhile is counted together.
            if not self._waiting:
                self._taken.extend(self._counts.items())
                self._counts, self._is_full_told = {}, False
                await self._report_waiting(remote)

    async def _report_waiting(self, remote: Remote) -> None:
        while (report := self._next()) is not None:
            try:
                ignored = await remote.report(report)
            except RemoteError as error:
                status = error.status or 0
                if status not in _REFUSED or not self._is_next(report):
                    return
                # One use that is not taken takes no other with it.
                halves = _halves(report) if status in _OF_CONTENT else []
                self._waiting.popleft()
                self._waiting.extendleft(reversed(halves))
                if not halves:
                    self._lose(_uses(report["uses"]), f"a report was refused with status {status}")
            except Exception:
                # Whatever it is: what was counted waits.
                return
            else:
                # After the end what waited was given up.
                if not self._is_next(report):
                    return
                self._waiting.popleft()
                of_nobody = (used for used in report["uses"] if used["credential_id"] in ignored)
                self._lose(_uses(of_nobody), "nobody has their credentials")

    def _next(self) -> Report | None:
        """The report that is next, which waits until it is taken."""
        if not self._waiting and self._taken:
            self._waiting.append(_report_of(self._taken))
        return self._waiting[0] if self._waiting else None

    def _is_next(self, report: Report) -> bool:
        return bool(self._waiting) and self._waiting[0] is report

    def _end(self) -> None:
        self._is_over = True
        self._taken.extend(self._counts.items())
        untold = sum(count.uses for _, count in self._taken)
        waiting = sum(_uses(report["uses"]) for report in self._waiting)
        self._counts, self._is_full_told = {}, False
        self._taken.clear()
        self._waiting.clear()
        self._lose(waiting + untold, "they were not taken before the end")

    def _lose_for_want_of_room(self) -> None:
        self.lost += 1
        if not self._is_full_told:
            self._is_full_told = True
            reason = "it is closed" if self._is_over else "the instance was not told of others for too long"
            _tell(f"uses are counted nowhere: {reason}")

    def _lose(self, uses: int, reason: str) -> None:
        if uses > 0:
            self.lost += uses
            _tell(f"uses are counted nowhere ({uses}): {reason}")


def _tell(warning: str) -> None:
    # A logger that fails changes nothing of what is known.
    with suppress(Exception):
        _log.warning("%s", warning)


def _uses(told: Iterable[dict[str, Any]]) -> int:
    return sum(used["count"] for used in told)


def _report_of(counts: deque[tuple[_What, _Count]]) -> Report:
    """As much as the instance takes in one report, which is taken out of `counts`, of which there is one at least."""
    uses: list[dict[str, Any]] = []
    size = 0
    while counts and len(uses) < _MOST_USES:
        what, count = counts[0]
        used = _told(what, count)
        size += len(json.dumps(used)) + 2
        if uses and size > _MOST_BYTES:
            break
        uses.append(used)
        counts.popleft()
        if used["count"] < count.uses:
            # What one item cannot count another tells.
            counts.appendleft((what, _rest(count)))
    return _report(uses)


def _told(what: _What, count: _Count) -> dict[str, Any]:
    """As one item, or its beginning."""
    credential, generation, code, _ = what
    return {
        "credential_id": credential,
        "generation": generation,
        "code": code,
        "count": min(count.uses, _MOST_COUNT),
        "permissions": [{"name": name, "count": min(uses, _MOST_COUNT)} for name, uses in count.permissions.items()],
        "last_used_at": count.last.isoformat(),
        "last_used_from": None if count.client_ip is None else str(count.client_ip),
    }


def _rest(count: _Count) -> _Count:
    """What is left after as many uses as one item counts."""
    permissions = {name: uses - _MOST_COUNT for name, uses in count.permissions.items() if uses > _MOST_COUNT}
    return replace(count, uses=count.uses - _MOST_COUNT, permissions=permissions)


def _report(uses: list[dict[str, Any]]) -> Report:
    return {"id": str(uuid.uuid4()), "uses": uses}


def _halves(report: Report) -> list[Report]:
    """Both halves of what was refused as a whole, under other names; none of what cannot be halved."""
    uses = report["uses"]
    middle = len(uses) // 2
    return [] if middle == 0 else [_report(uses[:middle]), _report(uses[middle:])]
