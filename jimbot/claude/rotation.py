"""Changing the key of a gateway that runs, or will."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from jimbot.appliance import Appliance, Home
from jimbot.claude import keys
from jimbot.claude.errors import KeyFileError
from jimbot.security import tokens

TIMEOUT_S = 3.0


class Rotated(NamedTuple):
    """What was done: names of files, never keys. `running` is what the gateway now uses, newest
    first; None when it does not run."""

    file: Path
    retired: list[str]
    running: list[str] | None


def rotate(appliance: Appliance, home: Home, secret: str, *, retire: bool = False) -> Rotated:
    """Write a key into the home's key folder and have a running gateway look at once.

    Raises:
        KeyFileError: it is no key, cannot be written, or the table names no folder in the home.
    """
    inside = [path for path in keys.locate(appliance.claude.keys, home.path)
              if path.is_relative_to(home.path)]  # fmt: skip
    if not inside:
        raise KeyFileError(
            "the table's keys all lie outside JimBot's home",
            hint="Change them where they are kept; the gateway sees it by itself",
        )
    older = sorted(inside[0].iterdir()) if inside[0].is_dir() else []
    file = keys.write(inside[0], secret)
    retired = []
    if retire:
        for path in older:
            path.unlink()
            retired.append(path.name)
    return Rotated(file, retired, _reload(appliance.url("claude"), tokens.headers(home)))


def _reload(url: str, headers: dict[str, str]) -> list[str] | None:
    request = urllib.request.Request(
        f"{url}/api/v1/keys/reload", method="POST", data=b"", headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            names: list[str] = json.load(response)["keys"]
            return names
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return None
