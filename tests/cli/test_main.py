from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner

from jimbot import __version__
from jimbot.cli import COMMANDS, main

HEAVY = ("ray", "torch", "gymnasium", "ladybug", "anthropic", "fastapi", "pydantic", "numpy")


def _jimbot(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    where = ["--home", str(home)] if home else []
    command = [sys.executable, "-m", "jimbot", *where, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from jimbot.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *_, imported = done.stdout.splitlines()
    assert imported == "[]"
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_is_there_and_has_help(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"{name} [OPTIONS]" in result.output


def test_health_starts_without_the_heavy_packages(tmp_path: Path) -> None:
    code = (
        "import sys; from jimbot.cli import main\n"
        f"try: main(['--home', {str(tmp_path)!r}, 'health'])\n"
        "except SystemExit: print([m for m in ('ray', 'torch', 'gymnasium', 'ladybug',"
        "'anthropic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_package_s() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.endswith(f"{__version__}\n")


def test_an_unknown_command_is_a_usage_error() -> None:
    assert _jimbot("fly").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["serve", "nope"], "unknown service 'nope'. The table has: mcp"),
        (["serve", "memgraph"], "memgraph is not a program of JimBot's"),
        (["health", "nope"], "unknown service 'nope'"),
        (["games", "list"], "there is no event log"),
        (["games", "show", "abc"], "there is no event log"),
        (["--table", "/nowhere.toml", "up"], "cannot read the table /nowhere.toml"),
        (["up", "--profile", "huge"], "unknown profile 'huge'. The table has: auto, workstation"),
        (["up", "--for", "soon"], "'soon' is not a duration like 90s"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = _jimbot(*arguments, home=tmp_path / "home")
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_config_check_says_that_the_table_holds_or_where_not(tmp_path: Path) -> None:
    assert _jimbot("config", "check").returncode == 0
    bad = tmp_path / "bad.toml"
    bad.write_text("version = 1")
    done = _jimbot("--table", str(bad), "config", "check")
    assert done.returncode == 2
    assert "machine: Field required" in done.stderr


def test_config_check_says_which_image_is_not_pinned_and_the_line_that_pins_it(
    tmp_path: Path,
) -> None:
    text = resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")
    embedded, at = 'engine = "embedded"', text.index("[stores.log]")
    served = text[:at] + text[at:].replace(embedded, 'engine = "server"', 1)
    table = tmp_path / "served.toml"
    table.write_text(served)
    done = _jimbot("--table", str(table), "config", "check")
    assert (done.returncode, done.stderr) == (0, "")

    row = '[images."docker.kurrent.io/kurrent-lts/kurrentdb"]\n'
    before, after = served.split(row)
    tag, digest, rest = after.split("\n", 2)
    assert digest.startswith('digest = "sha256:')
    table.write_text(f'{before}{row}{tag}\ndigest = ""\n{rest}')
    done = _jimbot("--table", str(table), "config", "check")
    assert done.returncode == 0
    assert "the event log does not start in staging and production" in done.stderr
    assert row.strip() in done.stderr
