"""For services that verify Claviger's credentials by themselves.

`Claviger` follows an instance; `claviger_verify.fastapi.require` is a dependency that lets nobody through but who has a
permission. JWTs are proved by the instance's keys, and held against the feed of what ended. API keys, personal access tokens and
opaque access tokens are asked about once, and kept as long as the change feed names nothing of them.
"""

from .claviger import Checked, Claviger, Use
from .identity import Identity
from .instance.settings import Settings, WrongSettings
from .refusal import REFUSALS, Unreachable

__all__ = ["REFUSALS", "Checked", "Claviger", "Identity", "Settings", "Unreachable", "Use", "WrongSettings"]
