"""Proofs of possession that came already: each counts once.

What is remembered here is this process's own; where a service runs more than once, a proof counts once in each.
"""

from collections import deque
from datetime import datetime

from ..token.dpop import Proof

# How many are remembered; beyond, none holds. Only proofs of credentials that are good come here.
_MOST = 200_000


class Replays:
    """The proofs that came."""

    def __init__(self) -> None:
        self._proofs: set[tuple[str, str]] = set()
        # In the order in which they came, which is about that of their ends.
        self._order: deque[tuple[int, tuple[str, str]]] = deque()

    def is_first(self, proof: Proof, now: datetime) -> bool:
        """Whether this proof came for the first time."""
        instant = now.timestamp() * 1000
        while self._order and self._order[0][0] <= instant:
            self._proofs.discard(self._order.popleft()[1])
        key = (proof.thumbprint, proof.jti)
        if len(self._proofs) >= _MOST or key in self._proofs:
            return False
        self._proofs.add(key)
        self._order.append((proof.ends_at, key))
        return True
