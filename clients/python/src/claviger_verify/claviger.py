"""An instance as a service follows it, and the verdict on each credential."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, Self

from cryptography import x509

from .guard import permissions_of
from .instance.cache import NOT_KEPT_FOR, Bounded, Entry, Known, Opaque, Refused
from .instance.clock import Clock, monotonic
from .instance.following import KEYS_PAUSE, OUTAGES, Following
from .instance.remote import SILENCE, Remote, Told
from .instance.replays import Replays
from .instance.settings import Settings
from .instance.turns import Turns
from .instance.usage import Usage
from .refusal import ABOUT_STATE, Unreachable
from .token.dpop import Proof, check_proof
from .token.feed import Place, position_of
from .token.found import INVALID, Found, Shown
from .token.judge import Asked, NotProved, judge, judge_rights, read_token, refusal_of
from .token.key import Keys
from .token.network import read_address
from .token.object import is_object_name
from .token.opaque import is_well_formed
from .token.text import digest

# For how long keys count that could not be read again, in seconds.
_KEYS_COUNT_FOR = 3600.0
# For how long what one guard proved counts for those behind it, in seconds.
PROVED_FOR = 30.0
# How many questions are asked at once; who comes after them waits, and not for long.
_MOST_QUESTIONS = 64


@dataclass(frozen=True, slots=True)
class Shows:
    """What a request shows: of another that shows something else, nothing was proved."""

    key: str
    method: str
    dpop: str | None
    certificate: Shown | None


@dataclass(frozen=True, slots=True)
class Proved:
    """What was proved of a request at some time.

    Those who ask again judge from it, so that a proof is used, and a limit is spent, once. `is_asked` is whether the instance said
    so of this use.
    """

    claviger: "Claviger"
    shows: Shows
    at: float
    client_ip: IPv4Address | IPv6Address | None
    found: Found
    dpop: Shown | None
    is_asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What is asked of one request; what is left out is not asked, and was not shown.

    Without `objects`, a credential that is for some objects only is refused, unless `whatever_object` is asked; without
    `client_ip`, or if that is no address, one that is for some networks only. `certificate` is DER. With `test_too`, credentials
    of the test environment count as well. `proved` is what a guard before this one proved of the same request.
    """

    permissions: str | Sequence[str] = ()
    objects: Sequence[str] = ()
    whatever_object: bool = False
    client_ip: str | IPv4Address | IPv6Address | None = None
    method: str = ""
    path: str = ""
    dpop: str | None = None
    certificate: bytes | None = None
    test_too: bool = False
    proved: Proved | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """The same, as it is judged."""

    permissions: tuple[str, ...]
    objects: tuple[str, ...]
    whatever_object: bool
    environment: Literal["live"] | None
    client_ip: IPv4Address | IPv6Address | None
    method: str
    path: str
    dpop: str | None
    certificate: bytes | None
    proved: Proved | None


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict, as its code; of a valid credential what was proved, and of one over a limit when to try again."""

    code: str
    proved: Proved | None = None
    retry_after: int | None = None


class Claviger:
    """An instance, followed within `async with`.

    Also while it is not there: until it is, no credential counts and requests are answered with 503. At the end it is told what
    was counted, if it is there and takes it within `close_seconds`; how many uses are lost `uses_lost` says then.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clock = Clock()
        # Tokens that keys proved, which count only as long as those are the instance's.
        self._tokens: Bounded[tuple[Found, Keys]] = Bounded(settings.cache_entries)
        self._opaque = Opaque(settings.cache_entries)
        self._replays = Replays()
        self._turns = Turns()
        self._usage = Usage()
        self._questions = asyncio.Semaphore(_MOST_QUESTIONS)
        self._remote: Remote | None = None
        self._following: Following | None = None
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begins to follow."""
        if self._remote is not None:
            raise RuntimeError("it is followed already")
        self._remote = Remote(self.settings)
        self._following = Following(self._remote, self.settings, self._clock, self._opaque.names)
        self._running.push_async_callback(self._remote.close)
        await self._running.enter_async_context(self._usage.running(self._remote, self.settings.close_seconds))
        await self._running.enter_async_context(self._following.running())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Follows it no more."""
        self._following = None
        await self._running.aclose()
        self._remote = None

    @property
    def is_followed(self) -> bool:
        """Whether it is followed right now: keys are there, and both feeds are heard."""
        following = self._following
        if following is None or not following.keys:
            return False
        ended = following.ended_heard.within(self.settings.tokens_without_feed_seconds)
        return ended and following.changes_heard.within(SILENCE)

    async def report_uses(self) -> None:
        """Tells the instance now which uses were judged here, as happens by itself every few seconds and at the end."""
        if self._remote is not None:
            await self._usage.report(self._remote)

    @property
    def uses_lost(self) -> int:
        """How many uses that were judged here are counted nowhere.

        Too much waited while the instance was away, it did not take them, or it does not know their credential.
        """
        return self._usage.lost

    async def check(self, credential: str, use: Use) -> Checked:
        """The verdict on one use of what was presented: the same as on a request.

        Raises `Unreachable` if there is none, and `ValueError` or `TypeError` if what is asked is not understood.
        """
        asked = _asked(use)
        if not all(map(is_object_name, asked.objects)):
            return Checked("invalid_object")
        return await self._verdict(credential, asked)

    async def _verdict(self, credential: str, use: _Asked) -> Checked:
        # Three parts, the first of which is a JSON object.
        is_token = credential.startswith("eyJ") and "." in credential and credential.isascii()
        if not is_token and not is_well_formed(credential):
            return Checked("malformed")
        following = self._following
        if following is None:
            raise Unreachable
        try:
            # However many waits there are in it.
            async with asyncio.timeout(self.settings.patience_seconds):
                if is_token:
                    return await self._check_token(following, credential, use)
                return await self._check_opaque(following, credential, use)
        except OUTAGES:
            raise Unreachable from None

    async def _check_token(self, following: Following, token: str, use: _Asked) -> Checked:
        is_heard = following.ended_heard.within(self.settings.tokens_without_feed_seconds)
        if not is_heard or not following.keys_heard.within(_KEYS_COUNT_FOR):
            raise Unreachable
        key = digest(token)
        known = self._tokens.get(key)
        if known is None or known[1] is not following.keys:
            read, keys = await self._prove(following, token)
            if isinstance(read, str):
                return Checked(refusal_of(read))
            known = (read, keys)
            self._tokens.set(key, known)
        return self._decided(known[0], following.ended.has_ended, _shows(key, use), token, use)

    async def _prove(self, following: Following, token: str) -> tuple[Found | NotProved, Keys]:
        """A token of a key that is not known may be of one that is new."""
        issuer, keys = self.settings.issuer, following.keys
        read = read_token(token, keys, issuer, self._clock.now())
        if read == "unknown_key":
            # If that fails, it may be of a key that cannot be read.
            await following.read_keys(KEYS_PAUSE)
            keys = following.keys
            read = read_token(token, keys, issuer, self._clock.now())
        return read, keys

    async def _check_opaque(self, following: Following, credential: str, use: _Asked) -> Checked:
        # Without the address that a proof is for nobody can say that it holds, the instance included.
        if use.dpop is not None and self._url_of(use) is None:
            return Checked("proof_invalid")
        key = digest(credential)
        shows = _shows(key, use)
        if shows.certificate == INVALID:
            return Checked("proof_invalid")
        before = self._proved_before(shows, use)
        # What the instance tested is not tested here, the network among it.
        if before is not None and before.is_asked and before.client_ip == use.client_ip:
            return _answered(before, use)
        if not following.are_changes_heard(self.settings.keys_without_feed_seconds):
            return await self._ask(shows, credential, use)
        known: Known | Found | None = self._opaque.known(key, monotonic())
        if known is None:
            # Of many who present the same at once, one asks.
            async with self._turns.take(key):
                known = self._opaque.known(key, monotonic()) or await self._ask_state(key, credential)
        match known:
            case Entry(found=found) | (Found() as found):
                return self._decided(found, _nothing_ended, shows, credential, use)
            case Refused():
                return Checked(known.code)
            case "asked":
                return await self._ask(shows, credential, use)

    def _decided(self, found: Found, has_ended: Callable[[Found], bool], shows: Shows, credential: str, use: _Asked) -> Checked:
        now = self._clock.now()
        before, fresh = self._proved_before(shows, use), None
        # Of what the instance said is not known here what proved it.
        if before is not None and not before.is_asked:
            dpop = before.dpop
        else:
            fresh = self._proof(credential, use, now)
            dpop = INVALID if use.dpop is not None and fresh is None else None
            dpop = dpop if fresh is None else Shown(fresh.thumbprint)
        asked = Asked(
            audience=self.settings.audience,
            environment=use.environment,
            permissions=use.permissions,
            objects=use.objects,
            whatever_object=use.whatever_object,
            client_ip=use.client_ip,
            key=dpop,
            certificate=shows.certificate,
        )
        code = judge(found, has_ended, asked, now)
        # Only what matters is remembered: nobody else's proofs take its place.
        if code == "valid" and fresh is not None and not self._replays.is_first(fresh, now):
            code = "proof_invalid"
        # What a guard before this one let through was counted there.
        if before is None:
            self._usage.count(found, code, use.permissions, use.client_ip, now)
        if code != "valid":
            return Checked(code)
        proved = self._proved(shows, use, found, dpop, is_asked=False)
        # It counts from when it was proved first.
        return Checked("valid", proved if before is None else replace(proved, at=before.at))

    def _proved_before(self, shows: Shows, use: _Asked) -> Proved | None:
        """What a guard of the same instance proved of the same request just now, if the request shows the same."""
        proved = use.proved
        if proved is None or proved.claviger is not self or proved.shows != shows or monotonic() - proved.at >= PROVED_FOR:
            return None
        return proved

    def _proved(self, shows: Shows, use: _Asked, found: Found, dpop: Shown | None, *, is_asked: bool) -> Proved:
        return Proved(self, shows, monotonic(), use.client_ip, found, dpop, is_asked)

    def _proof(self, credential: str, use: _Asked, now: datetime) -> Proof | None:
        """The proof of possession that came along, if it holds."""
        url = self._url_of(use)
        return check_proof(use.dpop, use.method, url, credential, now) if use.dpop is not None and url is not None else None

    def _url_of(self, use: _Asked) -> str | None:
        """The address of a request as its client knows it."""
        return f"{self.settings.origin}{use.path}" if self.settings.origin is not None and use.path.startswith("/") else None

    async def _ask_state(self, key: str, credential: str) -> Found | Refused | Literal["asked"]:
        """What is known of a credential as such, which spends nothing and is kept for all its uses."""
        async with self._questions:
            known, is_overtaken = await self._ask_state_once(key, credential)
            if is_overtaken:
                # Once: what is asked after the change was heard is no older than it, but for nodes that are behind for a moment.
                known, _ = await self._ask_state_once(key, credential)
            return known

    async def _ask_state_once(self, key: str, credential: str) -> tuple[Found | Refused | Literal["asked"], bool]:
        """The same, and whether a change was heard of while the answer was on its way."""
        place, asked_at = self._opaque.names.place(), monotonic()
        told = await self._verify({"credential": credential, "state_only": True})
        answer, position = told.answer, position_of(place.position, told.position)
        if answer.found is None:
            self._opaque.keep_refusal(key, answer.code, asked_at)
            return Refused(answer.code), False
        if answer.max_age is None:
            self._opaque.keep_asked(key, asked_at)
            return "asked", False
        entry = None if position is None else Entry(answer.found, Place(place.beginning, position))
        if entry is None or not self._opaque.keep(key, entry, answer.max_age, asked_at):
            # Else those who wait would ask one after the other.
            self._opaque.keep_asked(key, monotonic(), NOT_KEPT_FOR)
        return answer.found, entry is not None and not self._opaque.holds(entry)

    async def _ask(self, shows: Shows, credential: str, use: _Asked) -> Checked:
        """The verdict of the instance on one use, which it counts."""
        async with self._questions:
            asked_at = monotonic()
            answer = (await self._verify(self._question(credential, use))).answer
            if answer.found is None:
                if answer.code in ABOUT_STATE:
                    self._opaque.keep_refusal(shows.key, answer.code, asked_at)
                return Checked(answer.code, retry_after=answer.retry_after)
            return _answered(self._proved(shows, use, answer.found, None, is_asked=True), use)

    async def _verify(self, question: Mapping[str, object]) -> Told:
        if self._remote is None:
            raise Unreachable
        told = await self._remote.verify(question)
        self._clock.was_told(told.date)
        return told

    def _question(self, credential: str, use: _Asked) -> dict[str, object]:
        question: dict[str, object] = {"credential": credential, "audience": self.settings.audience}
        question |= {"method": use.method, "path": use.path, "permissions": list(use.permissions)}
        if use.environment is not None:
            question["environment"] = use.environment
        if use.objects:
            question["object"] = list(use.objects)
        if use.client_ip is not None:
            question["client_ip"] = str(use.client_ip)
        if use.dpop is not None or use.certificate is not None:
            proof = {} if use.dpop is None else {"dpop": use.dpop, "url": self._url_of(use)}
            question["proof"] = proof | ({} if use.certificate is None else {"client_certificate": _pem(use.certificate)})
        return question


# What a service tells of a request by functions of its own.
_VALUES = ("objects", "client_ip", "method", "path", "dpop", "certificate")


def _asked(use: Use) -> _Asked:
    """What a service asks, in one form. Whether its objects can be named is still to be asked: they are the client's to say."""
    for name in _VALUES:
        if isinstance(getattr(use, name), Awaitable):
            # An address that nobody understands is none, and would be passed over.
            raise TypeError(f"{name} is awaitable: await it first")
    if isinstance(use.objects, str):
        raise ValueError("objects are a list")
    if not isinstance(use.whatever_object, bool) or not isinstance(use.test_too, bool):
        raise ValueError("whatever_object and test_too are True or False")
    client_ip = None if use.client_ip is None else read_address(str(use.client_ip))
    permissions, objects = permissions_of(use.permissions), tuple(use.objects)
    shown = (use.method, use.path, use.dpop, use.certificate, use.proved)
    return _Asked(permissions, objects, use.whatever_object, None if use.test_too else "live", client_ip, *shown)


def _nothing_ended(_: Found) -> bool:
    """Of opaque credentials the instance says what ended."""
    return False


def _answered(proved: Proved, use: _Asked) -> Checked:
    """The answer may be about less than is asked here: environment, permissions and objects are held against it."""
    code = judge_rights(proved.found, use)
    return Checked(code, proved if code == "valid" else None)


def _shows(key: str, use: _Asked) -> Shows:
    return Shows(key, use.method, use.dpop, _certificate_of(use.certificate))


def _certificate_of(der: bytes | None) -> Shown | None:
    if der is None:
        return None
    try:
        x509.load_der_x509_certificate(der)
    except ValueError:
        return INVALID
    return Shown(digest(der))


def _pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
