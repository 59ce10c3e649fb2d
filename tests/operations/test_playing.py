from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from jimbot import policy
from jimbot.appliance import Home, load
from jimbot.events import open_log
from jimbot.events.games import list_games, read_game
from jimbot.mcp.balatrobot.client import GameUnreachable
from jimbot.operations import playing
from jimbot.operations.errors import OperationError
from jimbot.operations.ports import free as free_ports
from tests.conftest import table_on_free_ports


@pytest.fixture
def game_port() -> Iterator[int]:
    """A game that speaks BalatroBot, served by the command that a user types."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "jimbot", "game", "serve", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        assert str(port) in served.stderr.readline()
        yield port
        served.send_signal(signal.SIGTERM)
        assert served.wait(5) == 0


def _play(table: Path, home: Home, port: int) -> tuple[playing.Played, str]:
    out = io.StringIO()
    played = playing.balatrobot(
        load(table),
        home,
        policy.make("heuristic"),
        Console(file=out, width=120, highlight=False),
        host="127.0.0.1",
        port=port,
        deck="Red",
        stake="White",
        seed="ALEEB",
        endless=False,
    )
    return played, out.getvalue()


def test_a_game_of_somebody_else_s_program_is_played_to_its_end_and_kept(
    home: Home, tmp_path: Path, game_port: int
) -> None:
    table = table_on_free_ports(tmp_path)
    environment = os.environ | {"JIMBOT_HOME": str(home.path), "JIMBOT_TABLE": str(table)}
    command = [sys.executable, "-m", "jimbot", "serve", "mcp"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as mcp:
        try:
            played, told = _play(table, home, game_port)
        finally:
            mcp.terminate()
            mcp.wait(10)
    assert played.seed == "ALEEB"
    assert f"Game {played.game_id} is" in told
    assert told.count("heuristic: ") >= played.actions
    log = open_log(home, read_only=True)
    try:
        (summary,) = list_games(log)
        assert summary.game.game_id == played.game_id
        assert summary.game.ante == played.ante
        assert len(read_game(log, played.game_id).actions) == played.actions
    finally:
        log.close()


def test_a_game_that_the_log_did_not_take_is_an_error(
    home: Home, tmp_path: Path, game_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "_DELIVER_S", 0.5)
    with pytest.raises(OperationError, match=r"has not taken all events.*jimbot up"):
        _play(table_on_free_ports(tmp_path), home, game_port)


def test_a_game_that_is_not_there_is_said_to_be_unreachable(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playing, "_DELIVER_S", 0.1)
    monkeypatch.setattr(playing, "_PATIENCE_S", 0.2)
    (port,) = free_ports(1)
    with pytest.raises(GameUnreachable):
        _play(table_on_free_ports(tmp_path), home, port)
