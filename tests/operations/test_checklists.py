"""The checklists before and after a deployment: each line that does not hold is an exit code."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from jimbot.appliance import Appliance, Home
from jimbot.appliance.stores import Engine, Stores
from jimbot.cli import main
from jimbot.operations import backup, checklists, doctor, journal
from tests.cli.test_alerts import answering
from tests.operations.backup.conftest import empty_repository, filled, repository

__all__ = ["empty_repository", "filled", "repository"]


def bad(found: list[doctor.Finding]) -> set[str]:
    return {each.check for each in found if each.severity in ("fail", "unknown")}


def test_a_new_machine_may_start_in_development_and_lacks_a_backup_in_production(
    appliance: Appliance, home: Home
) -> None:
    assert bad(checklists.preflight(appliance, home, environment="development")) == set()
    production = checklists.preflight(appliance, home, environment="production")
    assert bad(production) == {"backups"}
    assert doctor.exit_code(production) == 1


def test_with_a_backup_production_may_start(appliance: Appliance, filled: Home) -> None:
    backup.run(appliance, filled, "hourly")
    assert bad(checklists.preflight(appliance, filled, environment="production")) == set()


def test_a_taken_port_and_an_open_image_stop_it(appliance: Appliance, home: Home) -> None:
    with socket.create_server(("127.0.0.1", appliance.services["mcp"].ports["http"])):
        assert "ports" in bad(checklists.preflight(appliance, home, environment="development"))
    served = appliance.model_copy(
        update={"stores": Stores(log=Engine(engine="server", address="esdb://127.0.0.1:1"))}
    )
    images = dict(appliance.images)
    name = appliance.services["eventstore"].image
    images[name] = images[name].model_copy(update={"digest": ""})
    served = served.model_copy(update={"images": images})
    assert "images" in bad(checklists.preflight(served, home, environment="staging"))
    assert "images" not in bad(checklists.preflight(served, home, environment="development"))


def test_after_a_deployment_that_never_came_up(home: Home) -> None:
    done = CliRunner().invoke(main, ["--home", str(home.path), "verify", "--json"])
    assert done.exit_code in (1, 2)
    found = {(each["check"], each["severity"]) for each in json.loads(done.stdout)}
    assert {("services", "unknown"), ("logs", "unknown")} <= found


@pytest.mark.parametrize(("minutes", "well"), [(1, False), (60, True)])
def test_fresh_errors_in_the_logs_are_a_failure(
    appliance: Appliance, home: Home, minutes: int, well: bool
) -> None:
    when = datetime.now(UTC) - timedelta(minutes=minutes)
    line = {"time": when.isoformat(), "level": "error", "message": "it broke"}
    (home.logs / "mcp.jsonl").write_text(f"{json.dumps(line)}\nnot json\n")
    found = list(checklists._errors(doctor.Patient(appliance, home)))
    assert doctor.exit_code(found) == (0 if well else 1)
    assert (
        well or "mcp told of 1 errors in the last ten minutes, the last: it broke" in found[0].seen
    )


def _system(
    appliance: Appliance, filled: Home, by_system: Callable[..., None], stack: ExitStack
) -> None:
    """As on NixOS: services run, their backups are made, and their password is not ours."""
    backup.run(appliance, filled, "hourly")
    (filled.path / "secrets" / "backup").unlink()
    for name in ("mcp", "analytics", "claude"):
        stack.enter_context(answering(appliance.services[name].ports["http"], {"status": "ok"}))
    mcp = appliance.services["mcp"].ports["websocket"]
    stack.enter_context(socket.create_server(("127.0.0.1", mcp)))
    by_system("mcp", "analytics", "claude")


def test_what_the_system_runs_well_holds_before_and_after(
    appliance: Appliance,
    filled: Home,
    by_system: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "services", list)  # the journal is not for this user
    # What an earlier `jimbot up` left says nothing of now.
    (filled.logs / "mcp.jsonl").write_text("")
    with ExitStack() as stack:
        _system(appliance, filled, by_system, stack)
        before = checklists.preflight(appliance, filled, environment="production")
        after = checklists.verify(appliance, filled)
    assert doctor.exit_code(before) == 0, before
    assert doctor.exit_code(after) == 0, after
    unseen = {each.check for each in after if each.seen.startswith("not checked here")}
    assert unseen == {"memory", "backups", "logs"}
    (logs,) = [each for each in after if each.check == "logs"]
    assert (logs.severity, "journalctl" in logs.hint) == ("warn", True)


def test_preflight_asks_for_the_services_that_the_system_runs(
    appliance: Appliance, home: Home, by_system: Callable[..., None]
) -> None:
    """Training that is off may have its ports taken; mcp's, which does not answer, may not."""
    by_system("mcp", "analytics")
    with socket.create_server(("127.0.0.1", appliance.services["trainer"].ports["http"])):
        assert bad(checklists.preflight(appliance, home, environment="development")) == set()
    with socket.create_server(("127.0.0.1", appliance.services["mcp"].ports["websocket"])):
        assert bad(checklists.preflight(appliance, home, environment="development")) == {"ports"}


def test_preflight_goes_by_the_profile_that_is_said(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIMBOT_PROFILE", "no such one")
    assert bad(checklists.preflight(appliance, home, environment="development")) == {"profile"}


@pytest.mark.parametrize("level", ["info", "error"])
def test_errors_are_sought_in_the_journal_where_the_system_runs_services(
    appliance: Appliance,
    home: Home,
    by_system: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    level: str,
) -> None:
    by_system("mcp", "claude", "questdb")
    line = {"time": datetime.now(UTC).isoformat(), "level": level, "message": "it broke"}
    asked: list[datetime | None] = []

    def read(service: str, since: datetime | None) -> Iterator[bytes]:
        asked.append(since)
        yield json.dumps(line).encode()

    monkeypatch.setattr(journal, "services", lambda: ["backup-hourly", "claude", "mcp"])
    monkeypatch.setattr(journal, "read", read)
    found = list(checklists._errors(doctor.Patient(appliance, home)))
    assert doctor.exit_code(found) == (1 if level == "error" else 0)
    assert len(asked) == 2
    assert all(since and since > datetime.now(UTC) - timedelta(minutes=11) for since in asked)
    assert not [each for each in found if "not checked" in each.seen]
