"""A table as TOML: what programs elsewhere read it from."""

from __future__ import annotations

import json
from typing import Any

from jimbot.appliance.model import Appliance


def table(appliance: Appliance) -> str:
    """The whole table; `jimbot.appliance.load` reads back the same."""
    data = appliance.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    lines = [f"{_key(name)} = {_value(value)}" for name, value in data.items() if _is_plain(value)]
    for name, value in data.items():
        if not _is_plain(value):
            lines += _section((name,), value)
    return "\n".join(lines) + "\n"


def _section(path: tuple[str, ...], rows: dict[str, Any]) -> list[str]:
    own = {name: value for name, value in rows.items() if _is_plain(value)}
    lines = []
    if own or not rows:
        lines += ["", f"[{'.'.join(map(_key, path))}]"]
        lines += [f"{_key(name)} = {_value(value)}" for name, value in own.items()]
    for name, value in rows.items():
        if name not in own:
            lines += _section((*path, name), value)
    return lines


def _is_plain(value: Any) -> bool:
    return not isinstance(value, dict)


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else json.dumps(name)


def _value(value: Any) -> str:
    # JSON's strings, numbers and lists are TOML's; lists of tables the table has none.
    return json.dumps(value, ensure_ascii=True)
