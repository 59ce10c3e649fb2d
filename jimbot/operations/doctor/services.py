"""What runs, how it is, and how often it had to be started again."""

from __future__ import annotations

from collections.abc import Iterator

from jimbot.operations import state
from jimbot.operations.doctor.finding import Finding, Patient

_RESTARTS = 3


def look(patient: Patient) -> Iterator[Finding]:
    if patient.expected is None:
        yield Finding(
            check="services",
            severity="unknown",
            seen=f"not checked: no `jimbot up` runs on {patient.home.path}",
            hint="Start it: jimbot up",
        )
        return
    for name, answer in patient.answers.items():
        yield Finding(
            check="services",
            severity=answer.status,
            seen=f"{name}: {answer.reason or 'healthy'}",
            mend="" if answer.status in ("ok", "warn") else restart(patient, name),
            disruptive=True,
            hint=answer.hint,
        )
    run = state.read(patient.home)
    for name, service in (run.services if run else {}).items():
        if service and service.restarts >= _RESTARTS:
            yield Finding(
                check="services",
                severity="warn",
                seen=f"{name} was started again {service.restarts} times",
                hint=f"See why: jimbot logs {name}",
            )


def restart(patient: Patient, name: str) -> str:
    """The command that ends a service; whoever supervises it starts it again."""
    if patient.by_system:
        # A unit `jimbot-NAME`, or `podman-jimbot-NAME`.
        known = name in (patient.expected or ())
        return f"systemctl restart '*jimbot-{name}.service'" if known else ""
    one = patient.running.services.get(name) if patient.running else None
    return f"kill -TERM {one[0]}" if one else ""
