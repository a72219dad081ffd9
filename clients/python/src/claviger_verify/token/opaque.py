"""The form of credentials that are no JWTs: `<brand>_<kind>_<32 base62 characters><6 of CRC-32>`.

What has another is refused without asking anybody.
"""

import re
from zlib import crc32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FORM = re.compile(r"[a-z][a-z0-9]{1,15}_(?:key|testkey|pat|cs|at|ps|claim)_[0-9A-Za-z]{38}")
_CHECK_LENGTH = 6


def _check_of(text: str) -> str:
    rest, check = crc32(text.encode()), ""
    for _ in range(_CHECK_LENGTH):
        rest, digit = divmod(rest, 62)
        check = _DIGITS[digit] + check
    return check


def is_well_formed(text: str) -> bool:
    """Whether a text could be a credential of some instance."""
    return _FORM.fullmatch(text) is not None and _check_of(text[:-_CHECK_LENGTH]) == text[-_CHECK_LENGTH:]
