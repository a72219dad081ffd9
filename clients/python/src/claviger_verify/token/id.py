"""The names of things: TypeIDs, a prefix that says what is named and 26 characters that say which one."""

import re
from collections.abc import Callable
from typing import TypeGuard


def _ids(prefixes: str) -> Callable[[object], TypeGuard[str]]:
    form = re.compile(f"(?:{prefixes})_[0-7][0-9a-hjkmnp-tv-z]{{25}}")

    def is_id(value: object) -> TypeGuard[str]:
        return isinstance(value, str) and form.fullmatch(value) is not None

    return is_id


is_access_token_id = _ids("at")
is_credential_id = _ids("key|pat|csec|ckey|cert|fed")
is_organization_id = _ids("org")
is_principal_id = _ids("user|sa")
is_service_account_id = _ids("sa")
