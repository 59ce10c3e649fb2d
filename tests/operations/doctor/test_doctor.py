"""What the doctor finds, that it says how to mend it, and that "not checked" is never well."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.appliance.stores import Engine, Stores
from jimbot.cli import main
from jimbot.events import Event, open_log
from jimbot.operations import backup, doctor, vitals
from jimbot.operations.doctor import (
    Check,
    Finding,
    Patient,
    backups,
    certificates,
    clock,
    disk,
    gpu,
    memory,
    network,
    ray,
    secrets,
    stores,
)
from jimbot.security import audit
from jimbot.training import device

MB = 1 << 20


def severities(findings: Iterable[Finding]) -> dict[str, str]:
    return {finding.seen: finding.severity for finding in findings}


def the(findings: Iterable[Finding], text: str) -> Finding:
    """The one finding that says so."""
    found = [finding for finding in findings if text in finding.seen]
    assert len(found) == 1, found
    return found[0]


def test_a_check_that_breaks_is_not_well(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(patient: Patient) -> Iterable[Finding]:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(doctor, "CHECKS", (Check("odd", breaks),))
    found = doctor.examine(appliance, home)
    assert severities(found) == {"not checked: ZeroDivisionError: oh": "unknown"}
    assert doctor.exit_code(found) == 2
    assert doctor.exit_code([]) == 2


def test_nothing_runs_is_not_well(patient: Patient) -> None:
    found = doctor.examine(patient.appliance, patient.home, ["services", "memory", "network"])
    assert doctor.exit_code(found) == 2


def test_a_service_near_its_limit_and_over_it(
    patient: Patient, runs: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(mcp=os.getpid(), claude=os.getpid(), analytics=os.getpid())
    limits = {
        name: patient.appliance.services[name].memory_mb * MB
        for name in ("mcp", "claude", "analytics")
    }
    shares = {"mcp": 0.5, "claude": 0.8, "analytics": 0.95}
    monkeypatch.setattr(
        usage,
        "of_services",
        lambda *_: [
            SimpleNamespace(service=name, memory=int(share * limits[name]))
            for name, share in shares.items()
        ],
    )
    found = list(memory.look(patient))
    assert the(found, "mcp takes").severity == "ok"
    assert the(found, "claude takes").severity == "warn"
    over = the(found, "analytics takes")
    assert (over.severity, over.disruptive) == ("fail", True)
    assert over.mend == f"kill -TERM {os.getpid()}"


def test_memory_that_only_grows_is_told_with_the_hours_left(
    patient: Patient,
    runs: Callable[..., None],
    looked: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started = time.time() - 30 * 3600
    monkeypatch.setattr(
        Patient,
        "running",
        usage.Running(1, 0.0, "workstation", {"mcp": (1, started), "claude": (2, started)}),
    )
    monkeypatch.setattr(usage, "of_services", lambda *_: [])
    grows = [(100 + 10 * hour) * MB for hour in range(12)]
    looked([1] * 12, {"mcp": grows, "claude": [100 * MB, 90 * MB] * 6}, started)
    found = list(memory.look(patient))
    leak = the(found, "mcp grows by 240 MB a day")
    assert leak.severity == "warn"
    assert "limit in 30 h" in leak.seen  # (512 - 210) / 10
    assert not [each for each in found if "claude grows" in each.seen]


def test_when_memory_is_short_it_is_released_in_order(
    patient: Patient, runs: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(mcp=os.getpid(), trainer=os.getpid(), claude=os.getpid())
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(available=10 * MB, total=1000 * MB)
    )
    found = [each for each in memory.look(patient) if each.severity != "ok"]
    assert "drop_caches" in found[0].mend
    assert [each.seen.split()[0] for each in found[1:3]] == ["trainer", "claude"]
    assert all(each.disruptive for each in found[:3])
    # None of it is done unasked.
    said: list[str] = []
    assert doctor.mend(found, patient.home, disruptive=False, say=said.append) == {}
    assert len([line for line in said if "--yes" in line]) >= 2


def test_days_left_come_from_recorded_sizes(patient: Patient, looked: Callable[..., None]) -> None:
    assert the(disk.look(patient), "growth is not known yet").severity == "ok"
    looked([int((100 - hour) * 1000 * MB) for hour in range(10)])
    found = the(disk.look(patient), "days left")
    assert (found.severity, found.mend) == ("warn", "jimbot db retain")
    assert "24,000 MB a day: 4 days left" in found.seen
    looked([100 * MB, 101 * MB, 102 * MB])
    assert the(disk.look(patient), "does not fill up").severity == "ok"


def test_a_full_disk(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "disk", lambda _: (99_900 * MB, 100_000 * MB))
    assert the(disk.look(patient), "100 MB of 100000 MB are free").severity == "fail"


def test_looks_are_written_down_once_a_minute_and_damage_is_passed_over(patient: Patient) -> None:
    vitals.remember(patient.home)
    vitals.remember(patient.home)
    (one,) = vitals.read(patient.home)
    assert one.free > 0
    with vitals.file(patient.home).open("a") as file:
        file.write('{"half')
    assert len(vitals.read(patient.home)) == 1


def test_a_clock_that_went_back_is_seen_by_the_last_event(patient: Patient) -> None:
    log = open_log(patient.home)
    ahead = int((time.time() + 7200) * 1000)
    log.append([("s", Event(type="HEARTBEAT", source="x", timestamp=ahead))])
    log.close()
    found = the(clock.look(patient), "the clock went back")
    assert found.severity == "fail"
    assert "the last event" in found.seen


def test_a_port_of_ours_that_a_stranger_has(patient: Patient) -> None:
    port = patient.appliance.services["mcp"].ports["http"]
    code = (
        f"import socket; s = socket.create_server(('127.0.0.1', {port}));"
        " print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdin is not None
        stranger.stdout.readline()
        found = the(network.look(patient), f"port {port} (mcp, http) is taken")
        stranger.stdin.close()
    assert found.severity == "fail"
    assert found.mend == f"kill -TERM {stranger.pid}"
    assert found.disruptive


def test_what_listens_for_other_machines_is_seen(
    patient: Patient, runs: Callable[..., None]
) -> None:
    runs(analytics=os.getpid())
    with socket.create_server(("0.0.0.0", 0)) as listener:
        found = the(
            network.look(patient),
            f"analytics listens on port {listener.getsockname()[1]} for other",
        )
    assert found.severity == "fail"


def test_servers_whose_names_are_unknown_or_who_are_away(patient: Patient) -> None:
    stores_ = Stores(
        log=Engine(engine="server", address="esdb://no-such-host.invalid:2113"),
        series=Engine(engine="server", address="http://127.0.0.1:1"),
    )
    appliance = patient.appliance.model_copy(update={"stores": stores_})
    found = list(network.look(Patient(appliance, patient.home)))
    assert the(found, "the name no-such-host.invalid of the log").severity == "fail"
    assert the(found, "the series at 127.0.0.1:1 does not answer").severity == "fail"


def test_stores_that_are_missing_or_broken_name_their_cure(patient: Patient) -> None:
    assert the(stores.look(patient), "no series store").mend == "jimbot init-db"
    patient.home.series.write_bytes(b"not a database")
    broken = the(stores.look(patient), "is not a series")
    assert (broken.severity, broken.mend) == ("fail", "jimbot db rebuild metrics --set-aside")
    assert broken.disruptive


def test_an_acknowledged_event_that_is_not_stored_is_a_failure(patient: Patient) -> None:
    log = open_log(patient.home)
    log.append([("s", Event(type="HEARTBEAT", source="x", timestamp=1, event_id="there"))])
    log.close()
    journal = patient.home.acknowledged / "1-abcdef01-0.ids"
    journal.write_text("there\n")
    assert stores.acknowledged(patient).severity == "ok"
    journal.write_text("there\nlost\n")
    found = stores.acknowledged(patient)
    assert found.severity == "fail"
    assert "2 events were acknowledged, 1 of them are not stored" in found.seen


def test_secrets_that_others_can_read_are_closed_by_fix(appliance: Appliance, home: Home) -> None:
    folder = home.path / "secrets" / "tls"
    folder.mkdir(parents=True)
    for name in ("server.pem", "server-key.pem"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o644)
    (bad,) = secrets.look(Patient(appliance, home))
    assert bad.severity == "fail"
    assert "server-key.pem" in bad.seen
    done = CliRunner().invoke(
        main, ["--home", str(home.path), "doctor", "secrets", "--fix", "--json"]
    )
    assert done.exit_code == 0, done.output
    assert (folder / "server-key.pem").stat().st_mode & 0o777 == 0o600
    assert json.loads(done.stdout)["ran"] == {bad.mend: 0}
    assert [each["action"] for each in audit.entries(home)] == ["doctor --fix"]


@pytest.mark.parametrize(
    ("begins", "ends", "severity", "text"),
    [
        (-10, 90, "ok", "holds for 90 more days"),
        (-10, 5, "warn", "holds for 5 more days"),
        (-90, -2, "fail", "ended 2 days ago"),
        (3, 90, "fail", "holds only from"),
    ],
)
def test_certificates_tell_their_days(
    tmp_path: Path, begins: int, ends: int, severity: str, text: str
) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mcp")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now + timedelta(days=begins))
        .not_valid_after(now + timedelta(days=ends))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (found,) = certificates.judge(path, now)
    assert found.severity == severity
    assert text in found.seen
    path.write_text("no certificate")
    (found,) = certificates.judge(path, now)
    assert found.severity == "fail"


def test_backups_from_nothing_to_fresh(appliance: Appliance, filled: Home) -> None:
    patient = Patient(appliance, filled)
    assert the(backups.look(patient), "no good backup yet").mend == "jimbot backup run"
    backup.run(appliance, filled, "hourly")
    assert {each.severity for each in backups.look(patient)} == {"ok"}
    (filled.path / "secrets" / "backup").unlink()
    assert the(backups.look(patient), "there is no password").mend == "jimbot backup init"


def test_what_a_dead_ray_left_is_seen(patient: Patient) -> None:
    spill = patient.home.run / "spill"
    spill.mkdir()
    (spill / "object").write_bytes(b"x" * (2 * MB))
    found = the(ray.look(patient), "left from a Ray that ended")
    assert (found.severity, found.mend) == ("warn", f"rm -rf {spill}")


@pytest.fixture
def nvidia(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts an nvidia-smi into the path that answers so."""

    def write(gpus: str, errors: str, code: int = 0) -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f'#!/bin/sh\ncase "$1" in *retired*) echo "{errors}";; *) echo "{gpus}";; esac\n'
            f"exit {code}\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)

    return write


def test_a_gpu_that_is_well_full_hot_broken_or_silent(
    patient: Patient, nvidia: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "describe", lambda: {"device": "cpu", "reason": "on purpose"})

    def worst() -> Finding:
        order = ("ok", "unknown", "warn", "fail")
        return max(gpu.look(patient), key=lambda each: order.index(each.severity))

    nvidia("0, RTX, 1000, 24576, 10, 50", "0, No, 0")
    assert the(gpu.look(patient), "training computes on: cpu (on purpose)").severity == "ok"

    nvidia("0, RTX, 1000, 24576, 10, 50", "0, No, 0")
    assert worst().severity == "ok"
    nvidia("0, RTX, 24500, 24576, 10, 50", "0, [N/A], [N/A]")
    assert worst().severity == "warn"
    nvidia("0, RTX, 1000, 24576, 10, 91", "0, [N/A], [N/A]")
    assert "91 °C" in worst().seen
    nvidia("0, RTX, 1000, 24576, 10, 50", "0, Yes, 3")
    assert (worst().severity, worst().mend) == ("fail", "nvidia-smi --gpu-reset -i 0")
    assert worst().disruptive
    nvidia("", "", code=9)
    assert worst().severity == "fail"


def test_json_alone_on_stdout_and_an_unknown_check_is_refused(home: Home) -> None:
    done = CliRunner().invoke(main, ["--home", str(home.path), "doctor", "clock", "--json"])
    answer: dict[str, Any] = json.loads(done.stdout)
    assert {each["check"] for each in answer["findings"]} == {"clock"}
    assert done.exit_code == answer["exit_code"]
    refused = CliRunner().invoke(main, ["--home", str(home.path), "doctor", "luck"])
    assert refused.exit_code == 2
    assert "no check luck; there are: services" in refused.output
