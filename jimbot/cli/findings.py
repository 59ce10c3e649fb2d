"""How findings look to a person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from jimbot.cli.health import MARKS


def show(findings: Sequence[Any]) -> None:
    """A line a finding, and below it the command that mends it."""
    width = max((len(finding.check) for finding in findings), default=0)
    for finding in findings:
        click.echo(f"{MARKS[finding.severity]}  {finding.check:<{width}}  {finding.seen}")
        if finding.severity == "ok":
            continue
        if finding.hint:
            click.echo(f"{'':<{width + 8}}{finding.hint}")
        if finding.mend:
            note = "   (disrupts)" if finding.disruptive else ""
            click.echo(f"{'':<{width + 8}}$ {finding.mend}{note}")
