"""Spans of time as people write them: 90s, 5m, 2h, 3d."""

from __future__ import annotations

import re

import click

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str, units: str, *, bare: bool = False) -> float | None:
    """The seconds of a number and one of these units; None for another text.

    Args:
        units: of `smhd`, those that may stand there.
        bare: a number without a unit means seconds.
    """
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)([{units}]{'?' if bare else ''})", text)
    return float(match[1]) * _SECONDS[match[2]] if match else None


class Span(click.ParamType[float]):
    """Seconds above 0, as an option.

    Args:
        name: what the help calls it.
        like: examples, for who wrote another thing.
    """

    def __init__(self, name: str, units: str, like: str, *, bare: bool = False) -> None:
        self.name = name
        self._units = units
        self._like = like
        self._bare = bare

    def convert(self, value: object, param: object, ctx: click.Context | None) -> float:
        found = seconds(str(value), self._units, bare=self._bare)
        if not found:
            self.fail(f"{value!r} is not a {self.name} like {self._like}", None, ctx)
        return found
