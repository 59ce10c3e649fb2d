"""Taking services of the running appliance out of work, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jimbot.appliance import Appliance, Home
from jimbot.operations import control
from jimbot.operations.deploy import in_order, patience

_ASK_S = 30.0


def choose(appliance: Appliance, home: Home, verb: str, services: Sequence[str]) -> list[str]:
    """Who is meant, in the order in which it is done.

    Raises:
        NotRunning: nothing runs.
        TableError: the table has no such service.
    """
    status = control.call(home, "status", timeout_s=_ASK_S)["services"]
    for name in services:
        appliance.service(name)
    if verb == "undrain":
        idle = [name for name, it in status.items() if it["drained"] or it["crash_loop"]]
        return in_order(appliance, services or idle)
    trains = [name for name in status if appliance.service(name).group == "training"]
    return in_order(appliance, services or trains)[::-1]


def carry_out(
    appliance: Appliance,
    home: Home,
    verb: str,
    services: Sequence[str],
    tell: Callable[[str], None],
) -> None:
    """Drain or undrain them, one after the other.

    Raises:
        OperationError: one is not among the running services, or did not end in time.
    """
    for name in services:
        tell(f"{name}: {'finishing its work' if verb == 'drain' else 'starting'}")
        control.call(home, verb, timeout_s=patience(appliance), service=name)
