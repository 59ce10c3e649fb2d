from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jimbot.appliance import Appliance, Home, load
from jimbot.training import cluster
from jimbot.training.errors import TrainingError

SHARE = load().profiles["ci"].training


def test_the_token_is_made_once_and_for_its_owner_alone(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: cluster._token(home).read_text(), range(8)))
    assert len(found) == 1
    assert len(found.pop()) == 64
    assert stat.S_IMODE((home.run / "ray-token").stat().st_mode) == 0o600
    assert [path.name for path in home.run.iterdir() if path.is_file()] == ["ray-token"]


def test_a_token_that_others_can_read_is_refused(home: Home) -> None:
    cluster._token(home).chmod(0o644)
    with pytest.raises(TrainingError, match="may read the secret"):
        cluster._token(home)


def test_the_directory_for_sockets_is_private_and_short(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster.tempfile, "gettempdir", lambda: str(tmp_path))
    path = cluster.scratch(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert len(path.name) <= 32
    path.chmod(0o755)
    with pytest.raises(TrainingError, match="not private"):
        cluster.scratch(home)
    path.rmdir()
    path.symlink_to(tmp_path)
    with pytest.raises(TrainingError, match="not private"):
        cluster.scratch(home)


def test_a_head_that_died_is_not_waited_for(home: Home) -> None:
    cluster.announce(home, "/tmp/session")
    assert cluster._announced(home) == "/tmp/session"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path = cluster.announcement(home)
    path.write_text(path.read_text().replace(str(os.getpid()), str(dead.pid)))
    assert cluster._announced(home) is None
    path.write_text("{")
    assert cluster._announced(home) is None


def test_it_says_when_ray_does_not_come_up(appliance: Appliance, home: Home) -> None:
    with pytest.raises(TrainingError, match="did not come up"):
        cluster.connect(appliance, home, SHARE, timeout_s=0.2, stopped=lambda: False)


def test_waiting_for_ray_can_be_stopped(appliance: Appliance, home: Home) -> None:
    assert cluster.connect(appliance, home, SHARE, timeout_s=60, stopped=lambda: True) is False


def test_another_program_on_the_port_is_not_joined(appliance: Appliance, home: Home) -> None:
    """Without this home's announcement nobody connects, whoever listens there."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", appliance.service("ray-head").ports["gcs"]))
        other.listen()
        with pytest.raises(TrainingError, match="did not come up"):
            cluster.connect(appliance, home, SHARE, timeout_s=0.2, stopped=lambda: False)


def test_the_heads_address_comes_from_the_table_or_from_outside(
    appliance: Appliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = appliance.service("ray-head").ports["gcs"]
    assert cluster.head(appliance) == f"127.0.0.1:{port}"
    assert not cluster.several()
    assert cluster.together(appliance)
    monkeypatch.setenv("JIMBOT_RAY_HEAD", "jimbot-ray-head-svc:6379")
    assert cluster.head(appliance) == "jimbot-ray-head-svc:6379"
    assert cluster.several()
    assert not cluster.together(appliance)
    assert cluster.address() == "127.0.0.1"
    monkeypatch.setenv("JIMBOT_RAY_ADDRESS", "10.1.2.3")
    assert cluster.address() == "10.1.2.3"
    monkeypatch.setenv("JIMBOT_RAY_HEAD", "jimbot-ray-head-svc")
    with pytest.raises(TrainingError, match="JIMBOT_RAY_HEAD"):
        cluster.head(appliance)


def test_a_node_waits_for_a_head_as_long_as_it_is_told(
    appliance: Appliance, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("JIMBOT_RAY_HEAD", where)
        with pytest.raises(TrainingError, match=f"head did not come up on {where}"):
            cluster.connect(appliance, home, SHARE, timeout_s=0.2, stopped=lambda: False)
        assert not cluster.connect(appliance, home, SHARE, timeout_s=60, stopped=lambda: True)


def test_a_secret_that_is_handed_over_is_nobody_elses_to_make(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "ray-token"
    given.write_text("a" * 64)
    given.chmod(0o600)
    monkeypatch.setattr(cluster, "_GIVEN", given)
    assert cluster._token(home) == given
    assert not (home.run / "ray-token").exists()


def test_without_ray_it_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from jimbot.appliance import Home; from jimbot.training import cluster\n"
        "import pathlib, tempfile; home = Home(pathlib.Path(tempfile.mkdtemp())); home.prepare()\n"
        "from jimbot.errors import MissingExtra\n"
        "try: cluster.environment(home)\n"
        "except MissingExtra as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "jimbot[train]" in done.stdout, done.stderr
