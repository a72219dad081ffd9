"""What a service chooses."""

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address

import httpx


class WrongSettings(ValueError):
    """The settings cannot be followed."""

    def __init__(self, setting: str, given: object, wanted: str) -> None:
        super().__init__(f"{setting} is {given!r}: {wanted}")
        self.setting = setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to verify."""

    issuer: str
    """The instance's `public_url`: the issuer of its tokens, and where its keys and the feed of what ended are."""
    internal_address: str
    """Where the internal listener is."""
    audience: str
    """The identifier of the API that this service is."""
    public_address: str | None = None
    """Where the public listener is reached, if that is elsewhere."""
    internal_token: str | None = field(default=None, repr=False)
    """What the internal listener wants, if it wants something."""
    origin: str | None = None
    """The address under which clients reach this service, as proofs of possession name it (`https://api.acme.test`).

    Without, none holds.
    """
    keys_without_feed_seconds: float = 1
    """For how long API keys and tokens that are not JWTs count as they are known after the change feed fell silent.

    After that, and if they are not known, the instance is asked about every request. At least 1 second, which the promise of two
    needs.
    """
    tokens_without_feed_seconds: float = 300
    """For how long JWTs count after the feed of what ended fell silent: by their signature and what was known last.

    After that requests with them are answered with 503. At least 20 seconds.
    """
    cache_entries: int = 100_000
    """How many credentials are kept."""
    patience_seconds: float = 2
    """How long an answer of the instance may take, and a request waits for it. At most 10 seconds."""
    close_seconds: float = 5
    """How long the end takes at most, in which the instance is told which uses were counted. At most 60 seconds."""
    ssl_context: ssl.SSLContext | None = None
    """How the instance proves who it is, if not by the authorities that `httpx` knows: with a private one, made by
    `ssl.create_default_context(cafile=…)`.
    """

    def __post_init__(self) -> None:
        """Refuses what cannot be followed, with what would be right."""
        if not isinstance(self.audience, str) or not self.audience:
            raise WrongSettings("audience", self.audience, "the identifier of your API is wanted")
        token = self.internal_token
        if token is not None and not (isinstance(token, str) and re.fullmatch("[!-~]+", token)):
            raise WrongSettings("internal_token", "…", "a text of letters, digits and signs is wanted")
        for name in ("issuer", "internal_address", "public_address", "origin"):
            address = getattr(self, name)
            if (address is not None or name in ("issuer", "internal_address")) and not _is_address(address):
                raise WrongSettings(name, address, "an address like https://keys.acme.test is wanted, without a slash at the end")
        # Keys and what ended come from there.
        for name in ("issuer", "public_address"):
            address = getattr(self, name)
            if address is not None and not _is_safe(address):
                raise WrongSettings(name, address, "https is wanted, or this machine")
        limits = (("keys_without_feed", 1, 1e6), ("tokens_without_feed", 20, 1e6), ("patience", 0.1, 10), ("close", 0.1, 60))
        for name, least, most in limits:
            seconds = getattr(self, f"{name}_seconds")
            if not least <= seconds <= most:
                raise WrongSettings(f"{name}_seconds", seconds, f"{least} to {most:.0f} seconds are wanted")
        context = self.ssl_context
        if context is not None and not (isinstance(context, ssl.SSLContext) and context.check_hostname):
            raise WrongSettings("ssl_context", context, "an SSLContext is wanted that checks who answers")
        if not 1 <= self.cache_entries <= 100_000_000:
            raise WrongSettings("cache_entries", self.cache_entries, "1 to 100000000 are wanted")


def _url(text: object) -> tuple[str, str] | None:
    """The scheme and the host of an address."""
    try:
        url = httpx.URL(text) if isinstance(text, str) else None
        return None if url is None else (url.scheme, url.host)
    except (httpx.InvalidURL, ValueError):
        return None


def _is_address(text: object) -> bool:
    # Also where it stands in quotes, in a header.
    if not isinstance(text, str) or re.fullmatch(r"[!#-\[\]-~]+", text) is None or text.endswith("/"):
        return False
    url = _url(text)
    return url is not None and url[0] in ("http", "https") and url[1] != ""


def _is_safe(address: str) -> bool:
    """Whether nobody in between can answer instead."""
    scheme, host = _url(address) or ("", "")
    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    return scheme == "https" or is_here
