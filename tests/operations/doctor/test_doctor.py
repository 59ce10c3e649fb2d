"""What the doctor finds, that it says how to mend it, and that "not checked" is never well."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
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
from jimbot.operations.backup import record
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
    services,
    stores,
)
from jimbot.security import audit
from jimbot.security.errors import SecretError
from jimbot.training import device
from tests.cli.test_alerts import answering
from tests.operations.backup.conftest import give_password

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


def listens(address: str, port: int) -> subprocess.Popen[bytes]:
    """Another process that has a port; to be killed."""
    code = (
        f"import socket; s = socket.create_server(({address!r}, {port}));"
        " print(1, flush=True); input()"
    )
    other = subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()
    return other


def test_ports_of_what_the_system_runs_are_no_stranger_s(
    patient: Patient, by_system: Callable[..., None]
) -> None:
    """They are known by their answer: their processes are not for everybody to see."""
    by_system("mcp")
    ports = patient.appliance.services["mcp"].ports
    with answering(ports["http"], {"status": "ok"}), listens("127.0.0.1", ports["websocket"]) as it:
        found = list(network.look(patient))
        it.kill()
    assert {each.severity for each in found} == {"ok"}
    assert the(found, "looked at").severity == "ok"


def test_a_stranger_on_a_port_of_what_the_system_runs_is_one(
    patient: Patient, by_system: Callable[..., None]
) -> None:
    by_system("mcp")
    rows = patient.appliance.services
    with (
        answering(rows["mcp"].ports["http"], "hello"),
        listens("127.0.0.1", rows["claude"].ports["http"]) as other,
    ):
        found = list(network.look(patient))
        other.kill()
    assert the(found, "(mcp, http) is taken").severity == "fail"
    assert the(found, "(claude, http) is taken").mend == f"kill -TERM {other.pid}"
    assert the(found, "was not checked").severity == "unknown"


def test_what_the_system_runs_must_not_listen_for_other_machines(
    patient: Patient, by_system: Callable[..., None]
) -> None:
    by_system("mcp")
    ports = patient.appliance.services["mcp"].ports
    with answering(ports["http"], {"status": "ok"}), listens("0.0.0.0", ports["websocket"]) as it:
        found = the(
            network.look(patient), f"mcp listens on port {ports['websocket']} for other machines"
        )
        it.kill()
    assert found.severity == "fail"


def test_what_the_system_runs_is_restarted_by_it(
    patient: Patient, by_system: Callable[..., None]
) -> None:
    by_system("mcp", "claude")
    with answering(patient.appliance.services["mcp"].ports["http"], {"status": "ok"}):
        found = list(services.look(patient))
    assert the(found, "mcp: healthy").severity == "ok"
    ill = the(found, "claude: nothing listens")
    assert (ill.severity, ill.disruptive) == ("fail", True)
    assert ill.mend == "systemctl restart '*jimbot-claude.service'"


def test_memory_that_the_system_holds_services_to_is_named_and_not_called_well(
    patient: Patient, by_system: Callable[..., None]
) -> None:
    by_system("mcp")
    found = the(memory.look(patient), "not checked here")
    assert found.severity == "warn"
    assert "systemd-cgtop" in found.hint


def test_memory_of_services_that_the_system_runs(
    patient: Patient, by_system: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    by_system("mcp")
    limit = patient.appliance.services["mcp"].memory_mb * MB
    taken = SimpleNamespace(service="mcp", memory=int(0.95 * limit))
    monkeypatch.setattr(usage, "of_services", lambda *_: [taken])
    over = the(memory.look(patient), "mcp takes")
    assert (over.severity, over.mend) == ("fail", "systemctl restart '*jimbot-mcp.service'")


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


def _certificate(begins: datetime, ends: datetime) -> tuple[bytes, bytes]:
    """One in PEM, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mcp")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begins)
        .not_valid_after(ends)
        .sign(key, hashes.SHA256())
    )
    plain = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM), plain


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
    made, _ = _certificate(now + timedelta(days=begins), now + timedelta(days=ends))
    path = tmp_path / "server.pem"
    path.write_bytes(made)
    (found,) = certificates.judge(path, now)
    assert found.severity == severity
    assert text in found.seen
    path.write_text("no certificate")
    (found,) = certificates.judge(path, now)
    assert found.severity == "fail"


def test_a_certificate_that_the_system_hands_to_mcp_alone_is_seen_by_what_it_shows(
    patient: Patient,
    by_system: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_system("mcp")
    security = patient.appliance.security.model_copy(update={"listen": IPv4Address("0.0.0.0")})
    appliance = patient.appliance.model_copy(update={"security": security})
    now = datetime.now(UTC)
    for path, pem in zip(
        (tmp_path / "server.pem", tmp_path / "key.pem"),
        _certificate(now - timedelta(days=1), now + timedelta(days=5, hours=1)),
        strict=True,
    ):
        path.write_bytes(pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "key.pem")
    monkeypatch.setattr(certificates, "_own_address", lambda: "127.0.0.1")
    port = appliance.services["mcp"].ports["websocket"]
    with socket.create_server(("127.0.0.1", port)) as listener:

        def shake_hands() -> None:
            try:
                with context.wrap_socket(listener.accept()[0], server_side=True):
                    pass
            except OSError:
                pass

        thread = threading.Thread(target=shake_hands, daemon=True)
        thread.start()
        (found,) = certificates.look(Patient(appliance, patient.home))
        thread.join(5)
    assert found.severity == "warn"
    assert "holds for 5 more days" in found.seen
    with answering(port, {"status": "ok"}):  # which is no TLS
        (found,) = certificates.look(Patient(appliance, patient.home))
    assert (found.severity, found.mend) == ("fail", "")
    assert "shows no certificate" in found.seen
    (found,) = certificates.look(Patient(appliance, patient.home))
    assert found.severity == "unknown"
    assert "not checked: mcp does not run" in found.seen
    monkeypatch.setattr(certificates, "_own_address", lambda: None)
    (found,) = certificates.look(Patient(appliance, patient.home))
    assert found.severity == "unknown"


def test_backups_from_nothing_to_fresh(appliance: Appliance, filled: Home) -> None:
    patient = Patient(appliance, filled)
    assert the(backups.look(patient), "no good backup yet").mend == "jimbot backup run"
    backup.run(appliance, filled, "hourly")
    assert {each.severity for each in backups.look(patient)} == {"ok"}
    (filled.path / "secrets" / "backup").unlink()
    assert the(backups.look(patient), "there is no password").mend == "jimbot backup init"


@pytest.mark.parametrize("how", ["none", "of another"])
def test_backups_whose_password_the_system_alone_has_are_judged_by_their_record(
    appliance: Appliance,
    home: Home,
    by_system: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    by_system("mcp")
    if how == "of another":  # as /run/secrets/backup is root's
        give_password(home)

        def refused(path: Path) -> None:
            raise SecretError(f"cannot read the secret {path}: Permission denied")

        monkeypatch.setattr("jimbot.operations.backup.runner.check_secret", refused)
        monkeypatch.setattr("jimbot.operations.backup.runner.access", lambda *_: False)
    found = list(backups.look(Patient(appliance, home)))
    assert the(found, "not checked here").severity == "warn"
    assert not [each for each in found if "backup init" in each.mend + each.hint]
    none = the(found, "no good backup yet")
    assert (none.severity, none.mend) == ("fail", "systemctl start jimbot-backup-hourly")

    now = datetime.now(UTC)
    record.update(home, last={"hourly": now}, last_try=now)
    found = list(backups.look(Patient(appliance, home)))
    assert doctor.exit_code(found) == 0
    assert the(found, "0.0 h old").severity == "ok"
    record.update(home, problem="the disk is full")
    failed = the(backups.look(Patient(appliance, home)), "the last try failed: the disk is full")
    assert (failed.severity, failed.mend) == ("fail", "systemctl start jimbot-backup-hourly")


def test_what_a_dead_ray_left_is_seen(patient: Patient) -> None:
    spill = patient.home.run / "spill"
    spill.mkdir()
    (spill / "object").write_bytes(b"x" * (2 * MB))
    found = the(ray.look(patient), "left from a Ray that ended")
    assert (found.severity, found.mend) == ("warn", f"rm -rf {spill}")


def test_what_the_system_s_ray_spilled_is_not_removed(
    patient: Patient, by_system: Callable[..., None]
) -> None:
    by_system("mcp", "ray-head")
    spill = patient.home.run / "spill"
    spill.mkdir()
    (spill / "object").write_bytes(b"x" * (2 * MB))
    assert "rm -rf" not in "".join(each.mend for each in ray.look(patient))


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
