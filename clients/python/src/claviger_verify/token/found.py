"""The facts about a credential that a verdict depends on, whether a JWT or an answer of the verify call told them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from .network import Network


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What must be proved with a credential, by thumbprints: of a DPoP key, and of a client certificate."""

    key: str | None = None
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What came along to prove something: the thumbprint of what is held, or nothing that holds."""

    held: str | None

    @property
    def is_invalid(self) -> bool:
        """Whether it does not hold."""
        return self.held is None


INVALID = Shown(None)


@dataclass(frozen=True, slots=True)
class Party:
    """A principal or an organization: its id, its name or slug, and what the owner calls it."""

    id: str
    name: str = ""
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A credential, and whom it stands for.

    Of an access token, `credential` is the id of that which it was made from, and `token` its own, if it is a JWT; of a key,
    `generation` says which of its secrets was presented. `objects` and `networks` are the only ones that it is for; `None` is no
    limit. At `expires_at` it no longer counts. `permissions` is what it may do now.
    """

    credential: str
    kind: str
    name: str
    generation: str | None
    environment: Literal["live", "test"]
    principal: Party
    organization: Party
    permissions: frozenset[str]
    audiences: tuple[str, ...]
    objects: tuple[str, ...] | None
    networks: tuple[Network, ...] | None
    expires_at: datetime | None
    confirmation: Confirmation
    epoch: int
    token: str | None
    metadata: Any
