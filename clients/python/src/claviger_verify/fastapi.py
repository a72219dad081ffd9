"""FastAPI: a dependency that lets nobody through but who has a permission, and how the others are answered.

claviger = Claviger(Settings(issuer=…, internal_address=…, audience=…))
app = FastAPI(lifespan=following(claviger), exception_handlers=REFUSALS)

@app.get("/invoices")
async def invoices(caller: Annotated[Identity, require(claviger, "invoices:read")]) -> str: …
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from .claviger import Claviger, Proved, Use
from .guard import NotAdmitted, Refusal, permissions_of, presented, refusal_of
from .identity import Identity
from .refusal import Unreachable

T = TypeVar("T")
# What a service tells of a request, in its own words: by a plain function, or an async one.
Told = Callable[[Request], T | Awaitable[T]]

# Where it is noted what was proved of a request, for those who ask again.
_PROVED = "claviger_verify.proved"


class Refused(HTTPException):
    """A request that is refused. Without `REFUSALS` it is answered with the same status and headers, and another body."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.status, refusal.detail, refusal.headers)
        self.refusal = refusal


async def _answer(_: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise refused
    refusal = refused.refusal
    return JSONResponse(refusal.problem, refusal.status, refusal.headers, media_type="application/problem+json")


# For `exception_handlers` of an application: answers with problem documents.
REFUSALS: dict[int | type[Exception], Callable[[Request, Any], Any]] = {Refused: _answer}


def following(claviger: Claviger) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """For `lifespan` of an application: follows the instance as long as it runs."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with claviger:
            yield

    return lifespan


def require(
    claviger: Claviger,
    *permissions: str,
    objects: Told[Sequence[str]] | None = None,
    whatever_object: bool = False,
    client_ip: Told[str | None] | None = None,
    path: Told[str] | None = None,
    certificate: Told[bytes | None] | None = None,
    test_too: bool = False,
) -> Any:
    """A dependency: lets through whoever has these permissions, as an `Identity`; of none, whoever has a credential for this API.

    `objects` tells which objects a request is about. Without, a credential that is for some objects only is refused. With
    `whatever_object`, one of that kind is let through, and the handler asks `is_for`; one that the instance must be asked about each
    time, because it is limited or bound, is refused.

    `client_ip` tells where a request comes from. Without, a credential that is for some networks only is refused.

    `path` is that by which clients reach a request, as a proof of possession names it. Without, that which the request has.

    `certificate` is that of the client as DER, from your TLS. Without, a credential that is bound to one is refused.

    With `test_too`, credentials of the test environment are let through as well: the handler asks `is_test`.

    The functions may be async.
    """
    wanted = permissions_of(permissions)

    async def admitted(request: Request) -> Identity:
        try:
            shown = presented(request.headers.getlist)
            use = Use(
                permissions=wanted,
                objects=await _told(objects(request)) if objects else (),
                whatever_object=whatever_object,
                client_ip=await _told(client_ip(request)) if client_ip else None,
                method=request.method,
                path=await _told(path(request)) if path else _path_of(request),
                dpop=shown.dpop,
                certificate=await _told(certificate(request)) if certificate else None,
                test_too=test_too,
                proved=request.scope.get(_PROVED),
            )
            checked = await claviger.check(shown.credential, use)
            return _let_through(request, checked.proved, NotAdmitted(checked.code, checked.retry_after))
        except Unreachable:
            refused = NotAdmitted("unavailable")
        except NotAdmitted as error:
            refused = error
        raise Refused(refusal_of(refused, claviger.settings.issuer, wanted))

    return Depends(admitted)


async def _told(told: T | Awaitable[T]) -> T:
    return await told if isinstance(told, Awaitable) else told


def _let_through(request: Request, proved: Proved | None, refused: NotAdmitted) -> Identity:
    if proved is None:
        raise refused
    request.scope[_PROVED] = proved
    # What a gateway says of the caller in headers only a gateway may say. The list is shared with `request.headers`.
    headers = request.scope["headers"]
    headers[:] = [(name, value) for name, value in headers if not name.lower().startswith(b"x-claviger-")]
    return Identity(proved.found)


def _path_of(request: Request) -> str:
    """The path as the first line of the request has it."""
    raw: bytes | None = request.scope.get("raw_path")
    return raw.decode("latin-1").partition("?")[0] if raw is not None else quote(request.scope["path"])
