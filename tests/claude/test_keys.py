"""Keys: from files, several, rotated without a restart, never shown."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from jimbot.appliance import Appliance, Home
from jimbot.claude import keys, rotation
from jimbot.claude.errors import KeyFileError
from jimbot.claude.keys import KeyRing
from jimbot.service import configure_logging
from tests.claude.conftest import CANARY, Make, question, run
from tests.claude.standin import Manner


def put(path: Path, text: str = CANARY, mode: int = 0o600) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 0.0
        return self.now


def test_reads_a_key_and_hides_it(tmp_path: Path) -> None:
    key = keys.read(put(tmp_path / "k", f"  {CANARY}\n"))
    assert key.secret.get_secret_value() == CANARY
    assert CANARY not in f"{key!r} {key} {key.secret} {key._asdict()}"


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        (CANARY, 0o640, "others than its owner may read"),
        (CANARY, 0o604, "others than its owner may read"),
        ("", 0o600, "does not hold a key"),
        (f"{CANARY} {CANARY}", 0o600, "does not hold a key"),
        ("x" * 2000, 0o600, "does not hold a key"),
        ("käse-käse-käse", 0o600, "does not hold a key"),
    ],
)
def test_a_bad_file_is_refused_without_showing_it(
    tmp_path: Path, text: str, mode: int, says: str
) -> None:
    with pytest.raises(KeyFileError, match=says) as caught:
        keys.read(put(tmp_path / "k", text, mode))
    assert not text or text not in f"{caught.value!r} {caught.value} {caught.value.__cause__}"


def test_entries_of_the_table_become_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/jimbot")
    monkeypatch.delenv("NOT_SET", raising=False)
    found = keys.locate(["$CREDENTIALS_DIRECTORY/claude", "$NOT_SET/a", "secrets"], Path("/h"))
    assert found == [Path("/run/credentials/jimbot/claude"), Path("/h/secrets")]


def test_the_newest_key_comes_first_and_changes_are_seen(tmp_path: Path) -> None:
    clock = Clock()
    ring = KeyRing([tmp_path / "keys"], clock)
    assert ring.keys == ()
    os.utime(put(tmp_path / "keys" / "old", "sk-old-old"), (1, 1))
    put(tmp_path / "keys" / "open", "sk-open-open", 0o644)
    assert ring.keys == (), "not looked at again yet"
    clock.now += 1
    assert [key.name for key in ring.keys] == ["old"]
    assert len(ring.problems) == 1
    put(tmp_path / "keys" / "new", "sk-new-new")
    put(tmp_path / "keys" / ".hidden", "sk-hidden-hidden")
    clock.now += 1
    assert [key.name for key in ring.keys] == ["new", "old"]
    new, old = ring.keys
    ring.refused(new)
    ring.cool(old, 30)
    assert ring.usable == ()
    clock.now += 31
    assert ring.usable == (old,)
    put(tmp_path / "keys" / "newest", "sk-newest-newest")
    clock.now += 1
    assert len(ring.usable) == 3, "new files give every key another chance"


def test_writing_is_private_and_whole(tmp_path: Path) -> None:
    path = keys.write(tmp_path / "folder", CANARY)
    assert path.read_text() == CANARY + "\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(KeyFileError):
        keys.write(tmp_path / "folder", "two words")


def test_rotation_retires_what_was_there(appliance: Appliance, home: Home) -> None:
    first = rotation.rotate(appliance, home, "sk-first-first")
    second = rotation.rotate(appliance, home, "sk-second-second", retire=True)
    assert second.retired == [first.file.name]
    assert second.running is None
    assert [p.name for p in second.file.parent.iterdir()] == [second.file.name]


def test_a_rotated_key_is_used_without_a_restart(bench: Make, tmp_path: Path) -> None:
    async def main() -> None:
        async with bench(keys=("sk-first-key",)) as b:
            b.standin.manners = [Manner(status=401)]
            assert (await b.gateway.advise(question(1))).declined == "key refused"
            assert (await b.gateway.advise(question(2))).declined == "no usable key"
            assert "jimbot claude rotate-key" in b.gateway.health().hint
            keys.write(tmp_path / "keys", "sk-second-key")
            b.ring.reload()
            assert (await b.gateway.advise(question(3))).source == "claude"
            assert b.standin.keys == ["sk-first-key", "sk-second-key"]
            assert b.gateway.health().status == "ok"

    run(main())


def test_no_failure_shows_the_key(bench: Make, capfd: pytest.CaptureFixture[str]) -> None:
    manners = [
        Manner(status=401), Manner(status=400), Manner(status=500), Manner(cut="after"),
        Manner(cut="before"), Manner(raw="{"), Manner(midway="api_error"), Manner(stop="refusal"),
    ]  # fmt: skip

    async def main() -> None:
        for number, manner in enumerate(manners):
            async with bench(breaker_failures=100) as b:
                b.standin.otherwise = manner
                answers = [await b.gateway.advise(question(number * 10 + n)) for n in range(2)]
                shown = [*(a.model_dump_json() for a in answers),
                         b.gateway.health().model_dump_json()]  # fmt: skip
                assert not any(CANARY in text for text in shown)
                assert CANARY in b.standin.keys

    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    os.environ["JIMBOT_LOG_LEVEL"] = "DEBUG"
    try:
        configure_logging("claude")
        run(main())
    finally:
        del os.environ["JIMBOT_LOG_LEVEL"]
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
    out, err = capfd.readouterr()
    assert "no answer" in err, "the log was looked at"
    assert CANARY not in out + err


def test_no_surface_of_the_running_service_shows_the_key(
    appliance: Appliance, home: Home, tmp_path: Path
) -> None:
    """Logs at their loudest, metrics, every GET, the process list and its environment."""
    (home.path / "secrets").mkdir()
    put(home.path / "secrets" / "claude" / "one", CANARY)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC_")}
    environment |= {
        "JIMBOT_HOME": str(home.path), "JIMBOT_TABLE": str(tmp_path / "appliance.toml"),
        "JIMBOT_LOG_LEVEL": "DEBUG", "ANTHROPIC_LOG": "debug",
    }  # fmt: skip
    table = tmp_path / "appliance.toml"
    text = table.read_text().replace("https://api.anthropic.com", "http://127.0.0.1:9")
    table.write_text(text)
    url = appliance.url("claude")
    log = tmp_path / "log"
    with log.open("wb") as file:
        service = subprocess.Popen(
            [sys.executable, "-m", "jimbot", "serve", "claude"], env=environment, stdout=file,
            stderr=file,
        )  # fmt: skip
    try:
        shown = [_get(f"{url}/health", until="one")]
        asked = question(decisions=1000).model_dump_json().encode()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            request = urllib.request.Request(
                f"{url}/api/v1/advice", asked, {"content-type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = response.read().decode()
            shown.append(answer)
            if json.loads(answer)["declined"] == "unreachable":
                break
            time.sleep(0.2)
        assert json.loads(shown[-1])["declined"] == "unreachable", shown[-1]
        paths = ("/health", "/metrics", "/openapi.json", "/api/v1/costs", "/api/v1/notes")
        shown += [_get(url + path) for path in paths]
        proc = Path(f"/proc/{service.pid}")
        shown += [(proc / name).read_bytes().decode(errors="replace")
                  for name in ("cmdline", "environ")]  # fmt: skip
    finally:
        service.terminate()
        service.wait(10)
    shown.append(log.read_text())
    for path in (home.path / "claude").iterdir():
        shown.append(path.read_bytes().decode(errors="replace"))
    assert "no answer" in log.read_text()
    assert not any(CANARY in text for text in shown)


def _get(url: str, until: str = "") -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                text: str = response.read().decode()
            if until in text:
                return text
        except OSError:
            pass
        assert time.monotonic() < deadline, f"{url} did not answer"
        time.sleep(0.1)
