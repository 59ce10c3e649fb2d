"""What looks like a secret, taken out before something is written where others read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "[hidden]"

_NAMES = re.compile(
    r"(^|[_-])(token|password|passwd|passphrase|secret|key|authorization|cookie|credential)s?$",
    re.IGNORECASE,
)
_VALUES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\bsk-ant-[A-Za-z0-9_-]{8,}"
    r"|\bjbt_[A-Za-z0-9_-]{20,}"
    r"|\bAGE-SECRET-KEY-1[0-9A-Z]+"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
    r"|(?<=\bBearer )\S+",
    re.DOTALL | re.IGNORECASE,
)


def text(value: str) -> str:
    """A text without API keys, JimBot's tokens, private keys, passwords in URLs, bearer tokens."""
    return _VALUES.sub(HIDDEN, value)


def tree(value: Any, name: str = "") -> Any:
    """A JSON value without secrets: texts under names such as `password` go whole, others by
    pattern. What JSON does not know becomes text."""
    if isinstance(value, Mapping):
        return {text(str(key)): tree(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [tree(inner, name) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return HIDDEN if _NAMES.search(name) else text(str(value))
