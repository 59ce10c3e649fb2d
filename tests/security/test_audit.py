from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.security import audit
from jimbot.security.errors import AuditError


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def write(home: Home, count: int) -> None:
    for number in range(count):
        audit.record(home, action="test.write", result="ok", after={"number": number})


def lines(home: Home) -> list[bytes]:
    return (home.path / "audit" / audit.CURRENT).read_bytes().splitlines(keepends=True)


def put(home: Home, changed: list[bytes]) -> None:
    (home.path / "audit" / audit.CURRENT).write_bytes(b"".join(changed))


def test_a_record_says_who_what_from_where_before_and_after(home: Home) -> None:
    audit.record(
        home,
        action="drain",
        result="ok",
        subject="token:abc",
        source="10.0.0.7",
        before={"workers": 4},
        after={"workers": 0},
    )
    (entry,) = audit.entries(home)
    assert entry["action"] == "drain"
    assert entry["subject"] == "token:abc"
    assert entry["source"] == "10.0.0.7"
    assert (entry["before"], entry["after"]) == ({"workers": 4}, {"workers": 0})
    assert entry["time"].endswith("+00:00")


def test_the_user_and_the_ssh_client_are_named_when_nobody_else_is(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.9 4711 192.0.2.1 22")
    audit.record(home, action="drain", result="ok")
    (entry,) = audit.entries(home)
    assert (entry["subject"], entry["source"]) == ("user:ada", "192.0.2.9")


def test_an_untouched_log_holds(home: Home) -> None:
    write(home, 5)
    found = audit.verify(home)
    assert (found.ok, found.records, found.problems) == (True, 5, ())


def test_a_home_without_a_log_holds_nothing(home: Home) -> None:
    assert audit.verify(home).records == 0
    assert not home.path.exists()


def test_a_changed_record_is_seen(home: Home) -> None:
    write(home, 3)
    put(home, [line.replace(b'"number":1}', b'"number":7}') for line in lines(home)])
    found = audit.verify(home)
    assert found.problems == ("audit.jsonl line 2: it was changed",)


def test_a_record_changed_with_its_digest_is_seen_at_the_next(home: Home) -> None:
    write(home, 3)
    before = lines(home)
    entry = json.loads(before[1])
    entry["result"] = "failed"
    del entry["digest"]
    entry["digest"] = audit._digest(entry)
    put(home, [before[0], audit._canonical(entry) + b"\n", before[2]])
    (problem,) = audit.verify(home).problems
    assert "line 3: it does not follow" in problem


@pytest.mark.parametrize("gone", [0, 1, 3])
def test_a_removed_record_is_seen(home: Home, gone: int) -> None:
    write(home, 4)
    kept = lines(home)
    del kept[gone]
    put(home, kept)
    assert not audit.verify(home).ok


def test_an_end_cut_off_with_the_head_is_seen_from_an_earlier_head(home: Home) -> None:
    write(home, 4)
    seen = audit.verify(home).head
    put(home, lines(home)[:2])
    (home.path / "audit" / "head").unlink()
    assert audit.verify(home).ok
    assert not audit.verify(home, seen).ok


def test_the_chain_goes_on_over_files(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ROTATE_BYTES", 1000)
    write(home, 12)
    folder = home.path / "audit"
    assert len(list(folder.glob("audit-*.jsonl"))) >= 2
    assert audit.verify(home).records == 12
    assert [one["after"]["number"] for one in audit.entries(home)] == list(range(12))
    sorted(folder.glob("audit-*.jsonl"))[0].unlink()
    assert not audit.verify(home).ok


def test_a_record_torn_by_a_power_cut_does_not_spoil_the_log(home: Home) -> None:
    write(home, 2)
    with (home.path / "audit" / audit.CURRENT).open("ab") as file:
        file.write(b'{"action":"dra')
    write(home, 2)
    found = audit.verify(home)
    assert (found.problems, found.records) == ((), 4)


def test_rubbish_that_nobody_wrote_is_seen(home: Home) -> None:
    write(home, 2)
    kept = lines(home)
    put(home, [kept[0], b"rubbish\n", kept[1]])
    assert audit.verify(home).problems == ("audit.jsonl line 2 is no record",)


def test_secrets_stay_out(home: Home) -> None:
    audit.record(
        home,
        action="rotate",
        result="failed at https://user:hunter2hunter2@example.org/",
        before={"password": "correct horse", "tokens": 5, "nested": [{"api_key": "abcdefgh"}]},
        after="it said: sk-ant-api03-canarycanary and Bearer abcdefg.hij",
    )
    text = (home.path / "audit" / audit.CURRENT).read_text()
    for secret in ("hunter2", "correct horse", "abcdefgh", "canary", "abcdefg.hij"):
        assert secret not in text
    (entry,) = audit.entries(home)
    assert entry["before"]["tokens"] == 5


def test_a_huge_side_leaves_its_digest(home: Home) -> None:
    audit.record(home, action="deploy", result="ok", after={"x": "y" * 100_000})
    (entry,) = audit.entries(home)
    assert entry["after"]["left_out_bytes"] > 100_000
    assert audit.verify(home).ok


def test_processes_write_at_the_same_time(home: Home) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write, args=(home, 10)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    found = audit.verify(home)
    assert (found.records, found.problems) == (30, ())


def test_only_the_owner_reads_it(home: Home) -> None:
    write(home, 1)
    for path in (home.path / "audit").iterdir():
        assert path.stat().st_mode & 0o077 == 0
    assert (home.path / "audit").stat().st_mode & 0o077 == 0


def test_a_log_that_cannot_be_written_says_so(home: Home) -> None:
    home.path.mkdir()
    (home.path / "audit").write_text("in the way")
    with pytest.raises(AuditError, match="is not in the audit log"):
        write(home, 1)
