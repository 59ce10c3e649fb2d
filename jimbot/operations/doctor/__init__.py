"""Going through docs/doctor.md by itself: one file a group of checks, listed in `CHECKS`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence

from jimbot.appliance import Appliance, Home
from jimbot.operations import vitals
from jimbot.operations.doctor import (
    backups,
    certificates,
    clock,
    disk,
    gpu,
    memory,
    network,
    ray,
    secrets,
    services,
    stores,
)
from jimbot.operations.doctor.finding import Check, Finding, Patient, Severity

__all__ = ["CHECKS", "Check", "Finding", "Patient", "Severity", "examine", "exit_code", "mend"]

CHECKS = (
    Check("services", services.look),
    Check("memory", memory.look),
    Check("ray", ray.look),
    Check("gpu", gpu.look),
    Check("network", network.look),
    Check("stores", stores.look),
    Check("disk", disk.look),
    Check("clock", clock.look),
    Check("certificates", certificates.look),
    Check("secrets", secrets.look),
    Check("backups", backups.look),
)

_MEND_S = 600.0


def examine(
    appliance: Appliance, home: Home, names: Sequence[str] = (), *, remember: bool = True
) -> list[Finding]:
    """Look at everything, or at the checks named; a check that breaks is a finding itself.

    Args:
        remember: write down sizes, so that the next look knows what grows.
    """
    patient = Patient(appliance, home)
    if remember:
        vitals.remember(home)
    found: list[Finding] = []
    for check in CHECKS:
        if names and check.name not in names:
            continue
        try:
            found += check.look(patient)
        except Exception as error:
            found.append(
                Finding(
                    check=check.name,
                    severity="unknown",
                    seen=f"not checked: {type(error).__name__}: {error}",
                )
            )
    return found


def exit_code(findings: Sequence[Finding]) -> int:
    """0: nothing is wrong; 1: something is; 2: something could not be looked at."""
    severities = {finding.severity for finding in findings}
    if "fail" in severities:
        return 1
    return 2 if "unknown" in severities or not findings else 0


def mend(
    findings: Sequence[Finding],
    home: Home,
    *,
    disruptive: bool,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, int]:
    """Run the commands that mend what is not well, in order; their exit codes.

    Args:
        disruptive: run those, too, that stop something for a moment.
    """
    done: dict[str, int] = {}
    for finding in findings:
        command = finding.mend
        if not command or command in done or finding.severity == "ok":
            continue
        if finding.disruptive and not disruptive:
            say(f"left, since it disrupts (--yes runs it): {command}")
            continue
        say(f"running: {command}")
        words = shlex.split(command)
        if words[0] == "jimbot":
            words = [sys.executable, "-m", "jimbot", "--home", str(home.path), *words[1:]]
        try:
            answer = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=_MEND_S,
            )
            done[command] = answer.returncode
            for line in answer.stdout.splitlines():
                say(line)
        except (OSError, subprocess.TimeoutExpired) as error:
            say(f"{command}: {error}")
            done[command] = 127
    return done
