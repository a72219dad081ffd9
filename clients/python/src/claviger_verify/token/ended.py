"""What ended lately: the signed feed for those who prove JWTs by themselves (`/oauth/revocations`)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from .claims import is_time
from .found import Found
from .id import is_access_token_id, is_credential_id
from .json_object import has_only, is_count
from .judge import CLOCKS_DIFFER, NotProved
from .jws import read_jws
from .key import Keys

# The longest feed that is read: half a million names and more.
_LONGEST = 64 << 20
# For how long something counts that documents do not name any more: longer than any token that it could end. A document may be
# that of a node which knows less, or is late.
_REMEMBERED = timedelta(minutes=65)
# How often that is looked at.
_LOOKED_AT_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Document:
    """What one document says: of which credentials only tokens from an epoch on count, and which tokens ended by themselves."""

    credentials: list[tuple[str, int]]
    tokens: list[str]


def read_ended(text: str, keys: Keys, issuer: str, now: datetime) -> Document | NotProved:
    """Reads a document, if the instance signed it and it counts now."""
    jws = read_jws(text, "revocations+jwt", _LONGEST)
    if jws is None:
        return "malformed"
    key = keys.get(jws.kid) if jws.kid is not None else None
    if key is None:
        return "unknown_key"
    claims = jws.proved(key)
    if claims is None or claims.get("iss") != issuer:
        return "forged"
    iat, exp = claims.get("iat"), claims.get("exp")
    if not is_time(iat) or not is_time(exp):
        return "forged"
    if exp <= int(now.timestamp()) or iat > int((now + CLOCKS_DIFFER).timestamp()):
        return "forged"
    return _read_revocations(claims.get("revocations")) or "forged"


def _read_revocations(value: object) -> Document | None:
    if not isinstance(value, dict) or not has_only(value, ("credentials", "tokens")):
        return None
    entries, tokens = value.get("credentials"), value.get("tokens")
    if not isinstance(entries, list) or not isinstance(tokens, list) or not all(map(is_access_token_id, tokens)):
        return None
    credentials: list[tuple[str, int]] = []
    for entry in entries:
        if not isinstance(entry, dict) or not has_only(entry, ("cred", "min_epoch")):
            return None
        credential, min_epoch = entry.get("cred"), entry.get("min_epoch")
        if not is_credential_id(credential) or not isinstance(min_epoch, int) or not is_count(min_epoch):
            return None
        credentials.append((credential, min_epoch))
    return Document(credentials, tokens)


class Ended:
    """What ended lately, as the instance said in whatever document."""

    def __init__(self) -> None:
        self._min_epochs: dict[str, tuple[int, datetime]] = {}
        self._tokens: dict[str, datetime] = {}
        self._looked_at: datetime | None = None

    def take(self, document: Document, now: datetime) -> None:
        """Adds what a document says. What none names for longer than any token lives is forgotten."""
        for credential, said in document.credentials:
            known, _ = self._min_epochs.get(credential, (0, now))
            self._min_epochs[credential] = (max(known, said), now)
        self._tokens.update(dict.fromkeys(document.tokens, now))
        if self._looked_at is not None and now - self._looked_at < _LOOKED_AT_EVERY:
            return
        self._looked_at, oldest = now, now - _REMEMBERED
        self._min_epochs = {name: known for name, known in self._min_epochs.items() if known[1] > oldest}
        self._tokens = {token: at for token, at in self._tokens.items() if at > oldest}

    def has_ended(self, found: Found) -> bool:
        """Whether this token is dead."""
        min_epoch, _ = self._min_epochs.get(found.credential, (0, None))
        return found.epoch < min_epoch or found.token in self._tokens
