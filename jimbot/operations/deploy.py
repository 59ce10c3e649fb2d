"""A new generation takes over, one service after the other, or nothing has happened.

The link `current` decides: until it is switched, a deployment that is cut off (a power cut, a
`kill -9`) is taken back by the next `jimbot up`, `deploy` or `rollback`; from then on it has
happened.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from jimbot.appliance import Appliance, Home, load
from jimbot.operations import control, generations
from jimbot.operations.errors import GateClosed, NotRunning, OperationError
from jimbot.operations.generations import Generation, Journal

Tell = Callable[[str], None]

_POLL_S = 0.2
# Beside the table's times for draining and stopping, what a restart may take by itself.
_RESTART_S = 30.0


class Plan(BaseModel):
    """What a deployment would do, or did: `rolls` in their order, none where nothing runs."""

    generation: Generation
    changes: list[str]
    running: bool
    drains: list[str] = []
    rolls: list[str] = []
    removed: list[int] = []
    seconds: float = 0.0


def plan(home: Home, table: Path | None) -> Plan:
    """What deploying this package and table would do.

    Raises:
        TableError: the table does not hold.
        OperationError: the running appliance cannot take it.
    """
    appliance = load(table)
    status = _status(home)
    one = _draft(appliance, home, table, status)
    return _plan(home, one, appliance, status)


def deploy(home: Home, table: Path | None, tell: Tell) -> Plan:
    """Make a generation of this package and table, and roll the running appliance to it.

    Where nothing runs, it only becomes the one that the next `jimbot up` starts.

    Raises:
        TableError: the table does not hold.
        GateClosed: a service did not become well; what ran before runs again.
        OperationError: it cannot be deployed; nothing has changed.
    """
    with generations.lock(home):
        recover(home, tell)
        appliance = load(table)
        status = _status(home)
        one = _draft(appliance, home, table, status)
        todo = _plan(home, one, appliance, status)
        if not todo.changes:
            return todo
        generations.write(home, one, table)
        try:
            _take_over(home, todo, appliance, tell, new=True)
        except OperationError:
            generations.remove(home, one.number)
            raise
        todo.removed = generations.prune(home, appliance.deploy.generations_kept)
        return todo


def rollback(home: Home, number: int | None, tell: Tell, *, dry_run: bool = False) -> Plan:
    """Go back to a generation; without a number to the one before the current one.

    Raises:
        OperationError: there is none, or a store has outgrown it.
        GateClosed: a service of it did not become well; what ran before runs again.
    """
    with generations.lock(home):
        if not dry_run:
            recover(home, tell)
        one = _target(home, number)
        release = generations.release(home, one.number)
        _check_schemas(home, one)
        appliance = load(release.table)
        todo = _plan(home, one, appliance, _status(home))
        if todo.changes and not dry_run:
            _take_over(home, todo, appliance, tell, new=False)
        return todo


def recover(home: Home, tell: Tell) -> None:
    """Bring a deployment that was cut off to one of its two ends."""
    entry = generations.journal(home)
    if entry is None:
        return
    now = generations.current(home)
    if now is not None and now.number == entry.to:
        tell(f"the deployment of generation {entry.to} was cut off after it had happened")
    else:
        tell(f"the deployment of generation {entry.to} was cut off: taking it back")
        if (status := _status(home)) is not None:
            appliance = _before(home, entry)
            _undo(home, entry, appliance, status, tell)
        if entry.new:
            generations.remove(home, entry.to)
    generations.note(home, None)


def _take_over(home: Home, todo: Plan, appliance: Appliance, tell: Tell, *, new: bool) -> None:
    began = time.monotonic()
    now = generations.current(home)
    entry = Journal(to=todo.generation.number, before=now.number if now else None, new=new)
    generations.note(home, entry)
    before = _status(home) if todo.running else None
    try:
        if before is not None:
            _roll_all(home, todo, entry, appliance, before, tell)
        generations.switch(home, entry.to)
    except OperationError as error:
        if isinstance(error, NotRunning):
            # What rolls is gone, and with it every service: the next start is by `current`.
            generations.note(home, None)
            raise
        tell(f"going back: {error.message}")
        if before is not None:
            _undo(home, entry, _before(home, entry), before, tell)
        generations.note(home, None)
        raise GateClosed(
            f"generation {entry.to} was taken back: {error.message}",
            hint=error.hint or "What ran before runs again; see `jimbot health` and the logs",
        ) from error
    if before is not None:
        control.call(home, "switched", timeout_s=_RESTART_S, generation=entry.to)
    generations.note(home, None)
    todo.seconds = round(time.monotonic() - began, 1)


def _roll_all(
    home: Home, todo: Plan, entry: Journal, appliance: Appliance, before: Any, tell: Tell
) -> None:
    for name in todo.drains:
        tell(f"{name}: finishing its work")
        # Written down first: what is drained must be taken back by whoever recovers.
        entry.rolled.append(name)
        generations.note(home, entry)
        control.call(home, "drain", timeout_s=patience(appliance), service=name)
    for name in todo.rolls:
        tell(f"{name}: restarting as generation {entry.to}")
        if name not in entry.rolled:
            entry.rolled.append(name)
            generations.note(home, entry)
        control.call(home, "roll", timeout_s=patience(appliance), service=name, generation=entry.to)
        _gate(home, name, appliance, before["services"][name]["health"]["status"])
        tell(f"{name}: well")


def _undo(home: Home, entry: Journal, appliance: Appliance, before: Any, tell: Tell) -> None:
    """Start what was rolled as it was before; nobody is left drained."""
    for name in [name for name in in_order(appliance, entry.rolled) if name in before["services"]]:
        tell(f"{name}: back to {_named(entry.before)}")
        control.call(
            home, "roll", timeout_s=patience(appliance), service=name, generation=entry.before
        )
        try:
            _gate(home, name, appliance, "warn")
        except OperationError as error:
            tell(f"{name}: {error.message}")  # the supervisor goes on with it


def _gate(home: Home, name: str, appliance: Appliance, was: str) -> None:
    """Wait until a service that was just started is well and stays so.

    Raises:
        GateClosed: it does not become well, or ends.
    """
    row = appliance.service(name)
    if row.health is None:
        return
    good = {"ok", "warn"} if was == "warn" else {"ok"}
    deadline = time.monotonic() + row.health.start_s + appliance.deploy.settle_s
    first = control.call(home, "status", timeout_s=_RESTART_S)["services"][name]
    well_since: float | None = None
    while True:
        now = control.call(home, "status", timeout_s=_RESTART_S)["services"][name]
        if now["restarts"] != first["restarts"] or now["failures"]:
            raise GateClosed(f"{name} ended: {now['health']['reason']}", hint=_look(name))
        if now["health"]["status"] in good:
            well_since = well_since or time.monotonic()
            if time.monotonic() - well_since >= appliance.deploy.settle_s:
                return
        else:
            well_since = None
        if time.monotonic() > deadline:
            reason = now["health"]["reason"] or now["health"]["status"]
            raise GateClosed(f"{name} did not become well: {reason}", hint=_look(name))
        time.sleep(_POLL_S)


def _look(name: str) -> str:
    return f"What ran before runs again; see: jimbot logs {name}"


def _draft(
    appliance: Appliance, home: Home, table: Path | None, status: dict[str, Any] | None
) -> Generation:
    from jimbot.operations import containers, stores

    runtime = status["runtime"] if status else "native"
    images = {}
    if runtime == "containers" and status:
        names = {appliance.service(name).image for name in status["services"]}
        images = containers.digests(appliance, status["engine"], names)
    profile = status["profile"] if status else "auto"
    config = {"profile": profile}
    if environment := os.environ.get("JIMBOT_ENVIRONMENT"):
        config["environment"] = environment
    schemas = {str(each.name): each.schema_wanted for each in stores.status(home)}
    return generations.draft(
        home, table, runtime=runtime, images=images, config=config, schemas=schemas
    )


def _plan(home: Home, one: Generation, appliance: Appliance, status: dict[str, Any] | None) -> Plan:
    now = generations.current(home)
    if now is not None and now.number == one.number:
        return Plan(generation=one, changes=[], running=status is not None)
    todo = Plan(generation=one, changes=one.differs(now), running=status is not None)
    if now is not None and not todo.changes:
        if one.number not in {each.number for each in generations.every(home)}:
            todo.generation = now  # a draft of what is there already
            return todo
        todo.changes = ["number"]  # asked for by its number, and the same in all else
    if status is None:
        return todo
    running = set(status["services"])
    if missing := running - set(appliance.services):
        raise OperationError(
            f"the new table has no {', '.join(sorted(missing))}, which run",
            hint="Stop the appliance, deploy, and start it again",
        )
    todo.rolls = in_order(appliance, running)
    todo.drains = [name for name in todo.rolls if appliance.service(name).drains]
    return todo


def in_order(appliance: Appliance, names: Any) -> list[str]:
    """Those that others wait for first."""
    left, found = [name for name in appliance.services if name in names], list[str]()
    while left:
        for name in left:
            row = appliance.service(name)
            if not set(left) & {*row.depends, *row.after}:
                found.append(name)
                left.remove(name)
                break
    return found


def _target(home: Home, number: int | None) -> Generation:
    now = generations.current(home)
    if number is not None:
        return generations.get(home, number)
    if now is None or now.before is None:
        raise OperationError(
            "there is no generation before the current one", hint="See: jimbot generations"
        )
    return generations.get(home, now.before)


def _check_schemas(home: Home, one: Generation) -> None:
    """A store that was migrated cannot be read by what came before."""
    from jimbot.operations import stores

    for store in stores.status(home):
        wanted = one.schemas.get(store.name)
        if wanted is not None and (store.schema_version or 0) > wanted:
            raise OperationError(
                f"the {store.name} store has schema {store.schema_version}, "
                f"generation {one.number} reads at most {wanted}",
                hint="Restore a backup of that time first: jimbot restore",
            )


def _before(home: Home, entry: Journal) -> Appliance:
    return load(None) if entry.before is None else generations.table_of(home, entry.before)


def _status(home: Home) -> dict[str, Any] | None:
    try:
        return control.call(home, "status", timeout_s=_RESTART_S)
    except NotRunning:
        return None


def patience(appliance: Appliance) -> float:
    """How long a service may take to finish its work, end, and be started."""
    return appliance.deploy.drain_s + 2 * appliance.supervision.stop_s + _RESTART_S


def _named(number: int | None) -> str:
    return "what it was" if number is None else f"generation {number}"
