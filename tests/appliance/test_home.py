from __future__ import annotations

from pathlib import Path

import pytest

from jimbot.appliance import Home, HomeError


def test_the_home_is_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIMBOT_HOME", str(tmp_path / "here"))
    assert Home.default().path == tmp_path / "here"
    monkeypatch.delenv("JIMBOT_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert Home.default().path == tmp_path / "state" / "jimbot"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Home.default().path == tmp_path / ".local" / "state" / "jimbot"


def test_a_new_home_is_private_and_preparing_it_twice_changes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    assert home.path.stat().st_mode & 0o777 == 0o700
    home.event_log.write_text("kept")
    home.prepare()
    assert home.event_log.read_text() == "kept"


def test_a_home_that_cannot_be_made_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeError, match="JIMBOT_HOME"):
        Home(tmp_path / "file" / "home").prepare()
