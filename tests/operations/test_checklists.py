"""The checklists before and after a deployment: each line that does not hold is an exit code."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from jimbot.appliance import Appliance, Home
from jimbot.appliance.stores import Engine, Stores
from jimbot.cli import main
from jimbot.operations import backup, checklists, doctor
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
    found = list(checklists._errors(appliance, home))
    assert doctor.exit_code(found) == (0 if well else 1)
    assert (
        well or "mcp told of 1 errors in the last ten minutes, the last: it broke" in found[0].seen
    )
