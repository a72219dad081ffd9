"""What the instance is asked, over HTTP. Bounded in time and size; the room must not know what is made of the answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from ..token.answer import Answer, read_answer
from .settings import Settings

# The largest document that is read, in bytes.
_MOST_BYTES = 64 << 20
# How long the feed of what ended is waited for, in seconds: a connection that is cut without a word is noticed by then.
_WAIT = 5
# How long a stream may be silent before it is made anew, in seconds: it beats four times a second.
SILENCE = 2.0


class RemoteError(Exception):
    """The instance did not answer, or not with what was asked for."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Document:
    """A document, as it is or (without a text) as it was known."""

    text: bytes | None
    tag: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A verdict, up to which change it is true, and what time it was."""

    answer: Answer
    position: str | None
    date: str | None


class Remote:
    """The instance, at its two addresses."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._patience = settings.patience_seconds
        # What is asked is bounded elsewhere; what is between us is nobody's but the settings'.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        headers = {"accept-encoding": "identity"}
        timeout = httpx.Timeout(self._patience, read=None)
        verify = True if settings.ssl_context is None else settings.ssl_context
        self._client = httpx.AsyncClient(verify=verify, trust_env=False, limits=limits, headers=headers, timeout=timeout)

    async def close(self) -> None:
        """Ends whatever is open."""
        await self._client.aclose()

    async def keys(self) -> bytes:
        """The JWK Set."""
        async with asyncio.timeout(self._patience):
            address = self._public("/.well-known/jwks.json")
            async with self._asked("GET", address, {"cache-control": "no-cache"}) as response:
                return await _body_of(response)

    async def ended(self, tag: str | None) -> Document:
        """The feed of what ended, once it says something else than `tag` knows, or after a while."""
        headers = {} if tag is None else {"if-none-match": tag}
        async with asyncio.timeout(_WAIT + self._patience):
            address = self._public(f"/oauth/revocations?wait={_WAIT}")
            # That it is as it was known is an answer only to whoever knows it.
            async with self._asked("GET", address, headers, is_known=tag is not None) as response:
                text = None if response.status_code == 304 else await _body_of(response)
                return Document(text, response.headers.get("etag"))

    @asynccontextmanager
    async def changes(self, last: str | None) -> AsyncIterator[httpx.Response]:
        """The stream of changes after the last that is known."""
        headers = self._inside() | {"accept": "text/event-stream"} | ({} if last is None else {"last-event-id": last})
        timeout = httpx.Timeout(self._patience, read=SILENCE)
        async with self._asked("GET", self._internal("/v1/changes"), headers, timeout=timeout) as response:
            yield response

    async def verify(self, question: Mapping[str, object]) -> Told:
        """The verdict on one use."""
        async with asyncio.timeout(self._patience):
            async with self._posted("/v1/verify", question) as response:
                try:
                    answer = read_answer(json.loads(await _body_of(response)))
                except (ValueError, RecursionError):
                    answer = None
                if answer is None:
                    raise RemoteError("the answer is not what was asked for")
                return Told(answer, response.headers.get("x-claviger-position"), response.headers.get("date"))

    async def report(self, report: Mapping[str, object]) -> Collection[str]:
        """Tells of uses that were judged here. Returns credentials that nobody has: what was told of them is not counted."""
        async with asyncio.timeout(self._patience), self._posted("/v1/usage-reports", report) as response:
            try:
                answer = json.loads(await _body_of(response))
            except (ValueError, RecursionError):
                answer = None
            ignored = answer.get("ignored") if isinstance(answer, dict) else None
            # What is in between may answer in place of the instance.
            if not isinstance(ignored, list) or not all(isinstance(name, str) for name in ignored):
                raise RemoteError("the answer is not what was asked for")
            return ignored

    @asynccontextmanager
    async def _posted(self, path: str, body: Mapping[str, object]) -> AsyncIterator[httpx.Response]:
        headers, content = self._inside() | {"content-type": "application/json"}, json.dumps(body).encode()
        async with self._asked("POST", self._internal(path), headers, content=content) as response:
            yield response

    @asynccontextmanager
    async def _asked(
        self, method: str, address: str, headers: Mapping[str, str], *, is_known: bool = False, **more: Any
    ) -> AsyncIterator[httpx.Response]:
        async with self._client.stream(method, address, headers=headers, **more) as response:
            if response.status_code != 200 and not (is_known and response.status_code == 304):
                raise RemoteError(f"the answer has status {response.status_code}", response.status_code)
            yield response

    def _inside(self) -> dict[str, str]:
        token = self._settings.internal_token
        return {} if token is None else {"authorization": f"Bearer {token}"}

    def _public(self, path: str) -> str:
        return f"{self._settings.public_address or self._settings.issuer}{path}"

    def _internal(self, path: str) -> str:
        return f"{self._settings.internal_address}{path}"


async def _body_of(response: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _MOST_BYTES:
            raise RemoteError("the answer is too long")
    return bytes(body)
