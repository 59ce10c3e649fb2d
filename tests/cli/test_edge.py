"""A bundle made on one machine plays on another, offline, with the core alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from websockets.sync.client import connect

from jimbot import game, policy
from jimbot.appliance import Home, load
from jimbot.appliance import bundle as bundles
from jimbot.cli import main
from jimbot.game import Run
from jimbot.mcp.balatrobot.state import game_state
from tests.conftest import table_on_free_ports
from tests.policy.networks import exported

# What the extras bring, and what would go out to the network.
REFUSING = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {
            "ray", "torch", "gymnasium", "ladybug", "gqlalchemy", "neo4j", "questdb", "esdbclient",
            "anthropic", "matplotlib", "pyrage", "scipy", "pandas",
        }:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Refuse())
from jimbot.cli import main
sys.argv[0] = "jimbot"
main()
"""


@pytest.fixture
def bundle(home: Home, tmp_path: Path) -> Path:
    exported(home.path / "policy.npz")
    table = table_on_free_ports(tmp_path)
    out = tmp_path / "jimbot.bundle"
    result = CliRunner().invoke(
        main,
        ["--home", str(home.path), "--table", str(table), "bundle", "--out", str(out), "--json"],
    )
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["file"] == str(out)
    assert told["policy"] == "ppo-700"
    assert told["strategies"] == 0
    assert told["bytes"] == out.stat().st_size
    return out


def test_the_edge_decides_from_the_bundle_alone(bundle: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "edge"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JIMBOT_")}
    process = subprocess.Popen(
        [sys.executable, "-c", REFUSING, "--home", str(elsewhere), "edge", str(bundle)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if '"ready"' in line:
                break
        else:
            pytest.fail("the edge did not start")
        port = load(elsewhere / "edge.toml").service("mcp").ports["websocket"]
        with connect(f"ws://127.0.0.1:{port}", proxy=None) as socket:
            hello = {"type": "hello", "protocol": 1, "client": "t", "capabilities": ["decisions"]}
            socket.send(json.dumps(hello))
            assert json.loads(socket.recv(timeout=10))["type"] == "welcome"
            for number in range(5):
                asked = {
                    "type": "decide",
                    "request_id": f"r{number}",
                    "state": game_state(Run("ALEEB")),
                    "deadline_ms": 20_000,
                }
                socket.send(json.dumps(asked))
                decision = json.loads(socket.recv(timeout=30))
                assert decision["type"] == "decision", decision
                assert decision["policy"] == "ppo-700"
                assert decision["source"] == "policy"
        edge = psutil.Process(process.pid)
        assert edge.children() == []
        assert {one.laddr.ip for one in edge.net_connections() if one.status == "LISTEN"} == {
            "127.0.0.1"
        }
        assert edge.memory_info().rss < 120 * 2**20
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 0


def refuse(bundle: Path, home: Path, *more: str) -> str:
    began = time.monotonic()
    result = CliRunner().invoke(main, ["--home", str(home), "edge", str(bundle), *more])
    assert result.exit_code not in (0, None), result.output
    assert time.monotonic() - began < 30
    return result.output


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_a_bundle_that_cannot_be_used_changes_nothing(
    bundle: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    _, parts = bundles.read(bundle)
    home = tmp_path / "edge"
    for name, changed, reason in (
        ("policy.npz", b"junk", "policy.npz is damaged"),
        ("table.toml", b"version = 2", "does not hold"),
        ("strategies.json", b'{"agreement": 0.5, "format": 9}', "format 9"),
    ):
        bundles.write(bundle, {**parts, name: changed})
        assert reason in refuse(bundle, home, *more)
    bundle.write_bytes(bundle.read_bytes()[:-10])
    assert "is damaged" in refuse(bundle, home, *more)
    assert not home.exists()


def test_check_tells_a_plain_game_from_a_compiled_one(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(compiled: bool) -> str:
        monkeypatch.setattr(game, "COMPILED", compiled)
        monkeypatch.setattr(policy, "COMPILED", compiled)
        arguments = ["--home", str(tmp_path / "edge"), "edge", str(bundle), "--check"]
        return CliRunner().invoke(main, arguments).stderr

    assert told(True) == ""
    assert "python -m jimbot.game._build" in told(False)


def test_check_says_that_a_bundle_is_whole(bundle: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["--home", str(tmp_path / "edge"), "edge", str(bundle), "--check"]
    )
    assert result.exit_code == 0
    assert "whole, made by JimBot" in result.stdout
    assert not (tmp_path / "edge").exists()


def test_without_a_policy_there_is_no_bundle(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.policy.SHIPPED", "none.npz")
    out = tmp_path / "jimbot.bundle"
    result = CliRunner().invoke(main, ["--home", str(home.path), "bundle", "--out", str(out)])
    assert result.exit_code == 2
    assert not out.exists()
