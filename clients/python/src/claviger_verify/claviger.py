"""An instance as a service follows it, and the verdict on each credential."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Self

from cryptography import x509

from .instance.cache import Bounded, Entry, Opaque, Refused
from .instance.clock import Clock, monotonic
from .instance.following import KEYS_PAUSE, OUTAGES, READ_KEYS_EVERY, Following
from .instance.remote import SILENCE, Remote
from .instance.replays import Replays
from .instance.settings import Settings
from .instance.turns import Turns
from .refusal import ABOUT_STATE, Unreachable
from .token.dpop import Proof, check_proof
from .token.feed import Place, position_of
from .token.found import INVALID, Found, Shown
from .token.judge import Asked, NotProved, judge, judge_rights, read_token, refusal_of
from .token.key import Keys
from .token.opaque import is_well_formed
from .token.text import digest

# For how long keys count that could not be read again, in seconds.
_KEYS_COUNT_FOR = 3600.0
# How many questions are asked at once; who comes after them waits, and not for long.
_MOST_QUESTIONS = 64


@dataclass(frozen=True, slots=True)
class Proved:
    """What was proved of a request.

    Those who ask again judge from it, so that a proof is used, and a limit is spent, once.
    """

    claviger: "Claviger"
    key: str
    found: Found
    dpop: Shown | None
    certificate: Shown | None
    is_asked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What is asked of one request. `certificate` is DER, and `proved` what a guard before this one proved of the same request."""

    permissions: Sequence[str] = ()
    objects: Sequence[str] = ()
    whatever_object: bool = False
    client_ip: IPv4Address | IPv6Address | None = None
    method: str = ""
    path: str = ""
    dpop: str | None = None
    certificate: bytes | None = None
    proved: Proved | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """The verdict, as its code; of a valid credential what was proved, and of one over a limit when to try again."""

    code: str
    proved: Proved | None = None
    retry_after: int | None = None


class Claviger:
    """An instance, followed within `async with`.

    Also while it is not there: until it is, no credential counts and requests are answered with 503.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._clock = Clock()
        # Tokens that keys proved, which count only as long as those are the instance's.
        self._tokens: Bounded[tuple[Found, Keys]] = Bounded(settings.cache_entries)
        self._opaque = Opaque(settings.cache_entries)
        self._replays = Replays()
        self._turns = Turns()
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

    async def check(self, credential: str, use: Use) -> Checked:
        """The verdict on one use of what was presented. Raises `Unreachable` if there is none."""
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

    async def _check_token(self, following: Following, token: str, use: Use) -> Checked:
        is_heard = following.ended_heard.within(self.settings.tokens_without_feed_seconds)
        if not is_heard or not following.keys_heard.within(_KEYS_COUNT_FOR):
            raise Unreachable
        key = digest(token)
        known = self._tokens.get(key)
        if known is None or known[1] is not following.keys:
            read, keys = await self._prove(following, token)
            # While keys cannot be read, one that is not known may be new.
            if read == "unknown_key" and not following.keys_heard.within(READ_KEYS_EVERY * 2):
                raise Unreachable
            if isinstance(read, str):
                return Checked(refusal_of(read))
            known = (read, keys)
            self._tokens.set(key, known)
        return self._decided(known[0], following.ended.has_ended, key, token, use)

    async def _prove(self, following: Following, token: str) -> tuple[Found | NotProved, Keys]:
        """A token of a key that is not known may be of one that is new."""
        issuer, keys = self.settings.issuer, following.keys
        read = read_token(token, keys, issuer, self._clock.now())
        if read == "unknown_key":
            try:
                await following.read_keys(KEYS_PAUSE)
            except OUTAGES:
                return read, keys
            keys = following.keys
            read = read_token(token, keys, issuer, self._clock.now())
        return read, keys

    async def _check_opaque(self, following: Following, credential: str, use: Use) -> Checked:
        # Without the address that a proof is for nobody can say that it holds, the instance included.
        if use.dpop is not None and self._url_of(use) is None:
            return Checked("proof_invalid")
        if _certificate_of(use.certificate) == INVALID:
            return Checked("proof_invalid")
        key = digest(credential)
        before = self._proved_before(key, use)
        if before is not None and before.is_asked:
            return _answered(before, use)
        if not following.changes_heard.within(self.settings.keys_without_feed_seconds):
            return await self._ask(key, credential, use, is_whole=True)
        known = self._opaque.known(key, monotonic())
        if known is None:
            # Of many who present the same at once, one asks.
            async with self._turns.take(key):
                known = self._opaque.known(key, monotonic())
                if known is None:
                    return await self._ask(key, credential, use, is_whole=False)
        match known:
            case Entry():
                return self._decided(known.found, _nothing_ended, key, credential, use)
            case Refused():
                return Checked(known.code)
            case "asked":
                return await self._ask(key, credential, use, is_whole=True)

    def _decided(self, found: Found, has_ended: Callable[[Found], bool], key: str, credential: str, use: Use) -> Checked:
        now = self._clock.now()
        before, fresh = self._proved_before(key, use), None
        if before is not None:
            dpop, certificate = before.dpop, before.certificate
        else:
            fresh = self._proof(credential, use, now)
            dpop = INVALID if use.dpop is not None and fresh is None else None
            dpop = dpop if fresh is None else Shown(fresh.thumbprint)
            certificate = _certificate_of(use.certificate)
        asked = Asked(
            audience=self.settings.audience,
            permissions=use.permissions,
            objects=use.objects,
            whatever_object=use.whatever_object,
            client_ip=use.client_ip,
            key=dpop,
            certificate=certificate,
        )
        code = judge(found, has_ended, asked, now)
        if code != "valid":
            return Checked(code)
        # Only what matters is remembered: nobody else's proofs take its place.
        if fresh is not None and not self._replays.is_first(fresh, now):
            return Checked("proof_invalid")
        return Checked("valid", Proved(self, key, found, dpop, certificate, is_asked=False))

    def _proved_before(self, key: str, use: Use) -> Proved | None:
        """What a guard of the same instance proved of the same request, if that was about the same credential."""
        proved = use.proved
        return proved if proved is not None and proved.claviger is self and proved.key == key else None

    def _proof(self, credential: str, use: Use, now: datetime) -> Proof | None:
        """The proof of possession that came along, if it holds."""
        url = self._url_of(use)
        return check_proof(use.dpop, use.method, url, credential, now) if use.dpop is not None and url is not None else None

    def _url_of(self, use: Use) -> str | None:
        """The address of a request as its client knows it."""
        return f"{self.settings.origin}{use.path}" if self.settings.origin is not None and use.path.startswith("/") else None

    async def _ask(self, key: str, credential: str, use: Use, *, is_whole: bool) -> Checked:
        """Asks with the permissions, or without, so that the answer is kept also if the credential lacks one."""
        async with self._questions:
            if self._remote is None:
                raise Unreachable
            place, asked_at = self._opaque.names.place(), monotonic()
            told = await self._remote.verify(self._question(credential, use, is_whole))
        self._clock.was_told(told.date)
        answer, position = told.answer, position_of(place.position, told.position)
        if answer.found is None:
            if answer.code in ABOUT_STATE:
                self._opaque.keep_refusal(key, answer.code, asked_at)
            return Checked(answer.code, retry_after=answer.retry_after)
        if answer.max_age is None:
            self._opaque.keep_asked(key, asked_at)
        elif position is not None:
            entry = Entry(answer.found, Place(place.beginning, position))
            self._opaque.keep(key, entry, answer.max_age, asked_at)
        return _answered(Proved(self, key, answer.found, None, None, is_asked=True), use)

    def _question(self, credential: str, use: Use, is_whole: bool) -> dict[str, object]:
        question: dict[str, object] = {"credential": credential, "audience": self.settings.audience}
        question |= {"method": use.method, "path": use.path}
        if is_whole:
            question["permissions"] = list(use.permissions)
        if use.objects:
            question["object"] = list(use.objects)
        if use.client_ip is not None:
            question["client_ip"] = str(use.client_ip)
        if use.dpop is not None or use.certificate is not None:
            proof = {} if use.dpop is None else {"dpop": use.dpop, "url": self._url_of(use)}
            question["proof"] = proof | ({} if use.certificate is None else {"client_certificate": _pem(use.certificate)})
        return question


def _nothing_ended(_: Found) -> bool:
    """Of opaque credentials the instance says what ended."""
    return False


def _answered(proved: Proved, use: Use) -> Checked:
    """The answer may be about less than is asked here: permissions are held against it."""
    code = judge_rights(proved.found, use.permissions, use.objects, use.whatever_object)
    return Checked(code, proved if code == "valid" else None)


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
