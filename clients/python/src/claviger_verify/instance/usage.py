"""Counting what is decided here, and telling the instance of it, in batches.

What is not told yet is lost with the process, unless that ends in order: ten seconds of uses at most, while the instance is there.
The room must not decide.
"""

import asyncio
import json
import logging
import random
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
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
# How many reports wait while the instance is away; of more the oldest are lost.
_MOST_WAITING = 500
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


@dataclass(slots=True)
class Usage:
    """Uses that were judged here."""

    lost: int = 0
    """How many of them are counted nowhere."""
    _counts: dict[tuple[str, str | None, str, int], _Count] = field(default_factory=dict)
    _waiting: deque[Report] = field(default_factory=deque)
    _is_over: bool = False
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
                self.lost += 1
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
    async def running(self, remote: Remote) -> AsyncIterator[None]:
        """Reports every few seconds, meanwhile, and a last time."""
        self._is_over = False
        reporting = asyncio.create_task(self._report_every_while(remote))
        try:
            yield
        finally:
            reporting.cancel()
            await asyncio.gather(reporting, return_exceptions=True)
            await self.report(remote)
            self._is_over = True
            self._lose([*self._waiting, *self._taken()], "they were not taken before the end")
            self._waiting.clear()

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
                self._waiting.extend(self._taken())
                await self._report_waiting(remote)

    async def _report_waiting(self, remote: Remote) -> None:
        while self._waiting:
            report = self._waiting[0]
            try:
                await remote.report(report)
            except RemoteError as error:
                status = error.status or 0
                if status not in _REFUSED:
                    self._cut()
                    return
                # One use that is not taken takes no other with it.
                halves = _halves(report) if status in _OF_CONTENT else []
                self._waiting.popleft()
                self._waiting.extendleft(reversed(halves))
                if not halves:
                    self._lose([report], f"a report was refused with status {status}")
            except Exception:
                # Whatever it is: what was counted waits.
                self._cut()
                return
            else:
                self._waiting.popleft()

    def _cut(self) -> None:
        lost = [self._waiting.popleft() for _ in range(len(self._waiting) - _MOST_WAITING)]
        self._lose(lost, "the instance was away for too long")

    def _taken(self) -> list[Report]:
        """What was counted since the last time, as reports."""
        counts, self._counts = self._counts, {}
        return _reports(item for what, count in counts.items() for item in _told(*what, count))

    def _lose(self, reports: Iterable[Report], reason: str) -> None:
        lost = sum(used["count"] for report in reports for used in report["uses"])
        if lost == 0:
            return
        self.lost += lost
        # A logger that fails changes nothing of what is known.
        with suppress(Exception):
            _log.warning("uses are counted nowhere: %s", reason)


def _told(credential: str, generation: str | None, code: str, _: int, count: _Count) -> Iterator[dict[str, Any]]:
    """As one item, or as many as it takes."""
    for taken in range(0, count.uses, _MOST_COUNT):
        parts = {name: min(uses - taken, _MOST_COUNT) for name, uses in count.permissions.items()}
        yield {
            "credential_id": credential,
            "generation": generation,
            "code": code,
            "count": min(count.uses - taken, _MOST_COUNT),
            "permissions": [{"name": name, "count": part} for name, part in parts.items() if part > 0],
            "last_used_at": count.last.isoformat(),
            "last_used_from": None if count.client_ip is None else str(count.client_ip),
        }


def _reports(uses: Iterable[dict[str, Any]]) -> list[Report]:
    """In as few reports as the instance takes."""
    reports: list[Report] = []
    size = 0
    for used in uses:
        length = len(json.dumps(used)) + 2
        size += length
        if reports and len(reports[-1]["uses"]) < _MOST_USES and size <= _MOST_BYTES:
            reports[-1]["uses"].append(used)
        else:
            reports.append(_report([used]))
            size = length
    return reports


def _report(uses: list[dict[str, Any]]) -> Report:
    return {"id": str(uuid.uuid4()), "uses": uses}


def _halves(report: Report) -> list[Report]:
    """Both halves of what was refused as a whole, under other names; none of what cannot be halved."""
    uses = report["uses"]
    middle = len(uses) // 2
    return [] if middle == 0 else [_report(uses[:middle]), _report(uses[middle:])]
