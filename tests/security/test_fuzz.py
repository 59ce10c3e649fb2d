"""Every parser of what comes from outside: whatever comes, it answers, or refuses by name.

The examples are few, so that the whole is quick; `JIMBOT_FUZZ=2000` looks longer.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from jimbot.appliance import Home, TableError, load
from jimbot.appliance import bundle as bundles
from jimbot.claude import strategies
from jimbot.claude.errors import KeyFileError, StoreError
from jimbot.claude.question import Question
from jimbot.errors import JimbotError
from jimbot.events import packing
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.game import Run
from jimbot.mcp import balatromcp
from jimbot.mcp.balatrobot.client import Client, GameRefused, GameUnreachable
from jimbot.mcp.balatrobot.mirror import Memory, mirror
from jimbot.mcp.balatrobot.state import game_state
from jimbot.mcp.journal import Auditor
from jimbot.mcp.protocol import decode_answer, receive
from jimbot.policy import weights
from jimbot.policy.weights import PolicyFileError
from jimbot.security import audit, redact, tokens
from jimbot.security.errors import SecretError, TokenError
from jimbot.security.tls import describe

EXAMPLES = int(os.environ.get("JIMBOT_FUZZ", "40"))
fuzz = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="JIMBOT_FUZZ" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@contextmanager
def refusing(*errors: type[Exception], naming: str = "") -> Iterator[None]:
    """A parser may refuse by these errors alone, and says what it refuses."""
    try:
        yield
    except errors as error:
        said = str(error)
    else:
        return
    assert naming in said
    assert len(said) < 4000


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
DEEP = "[" * 100_000


def changed(original: Any) -> st.SearchStrategy[Any]:
    """The original with a few of its parts replaced, dropped or doubled."""

    def change(picks: list[tuple[int, int, Any]]) -> Any:
        whole = json.loads(json.dumps(original))
        for place, how, value in picks:
            spots: list[tuple[Any, Any]] = []

            def look(at: Any, spots: list[tuple[Any, Any]] = spots) -> None:
                for key in at if isinstance(at, dict) else range(len(at)):
                    spots.append((at, key))
                    if isinstance(at[key], dict | list):
                        look(at[key])

            if isinstance(whole, dict | list):
                look(whole)
            if not spots:
                continue
            holder, key = spots[place % len(spots)]
            if how == 0:
                del holder[key]
            elif how == 1 and isinstance(holder, list):
                holder.append(value)
            else:
                holder[key] = value
        return whole

    picks = st.tuples(st.integers(0, 10_000), st.integers(0, 4), values)
    return st.lists(picks, min_size=1, max_size=3).map(change)


def damaged(data: bytes) -> st.SearchStrategy[bytes]:
    """The data with bytes changed, cut off, or put in."""

    def damage(cuts: list[tuple[int, int, bytes]]) -> bytes:
        result = bytearray(data)
        for place, length, put in cuts:
            place %= len(result) + 1
            result[place : place + length] = put
        return bytes(result)

    cut = st.tuples(st.integers(0, 1 << 20), st.integers(0, 64), st.binary(max_size=16))
    return st.lists(cut, min_size=1, max_size=4).map(damage)


EVENT = {
    "type": "HEARTBEAT",
    "source": "test",
    "event_id": "e1",
    "timestamp": 1700000000000,
    "version": 1,
    "payload": {"version": "1", "uptime": 1},
}
HELLO = {
    "type": "hello",
    "protocol": 1,
    "client": "x",
    "capabilities": ["events"],
    "token": "jbt_1",
}
DECIDE = {"type": "decide", "request_id": "r", "state": {"state": "SHOP"}, "deadline_ms": 10}


# WebSocket frames and HTTP bodies of mcp


@fuzz
@example(DEEP)
@example('{"a":' * 100_000)
@example('{"type":"HEARTBEAT","source":"\\ud800"}')
@example(b"\xff\x00")
@example('{"type":"HEARTBEAT","payload":{"uptime":1e400}}')
@given(st.text() | st.binary() | values.map(lambda v: json.dumps(v)))
def test_frames(frame: str | bytes) -> None:
    received = receive(frame)
    assert received.events or received.errors or received.message
    for error in received.errors:
        assert len(error.reason) < 2000


@fuzz
@given(
    changed(EVENT)
    | changed({"batch_id": "b", "events": [EVENT, EVENT]})
    | changed(HELLO)
    | changed(DECIDE)
    | changed({"type": "subscribe", "types": ["HEARTBEAT"], "after": 1})
)
def test_frames_that_are_nearly_right(message: Any) -> None:
    received = receive(json.dumps(message))
    assert received.events or received.errors or received.message is not None or message


@fuzz
@example(DEEP)
@given(st.text() | values.map(lambda v: json.dumps(v)) | changed(HELLO).map(json.dumps))
def test_answers_of_a_server(text: str) -> None:
    with refusing(ValueError):
        decode_answer(text)


# The games: BalatroMCP's states, BalatroBot's answers


def mcp_state() -> dict[str, Any]:
    from tests.mcp.test_door import payload

    return payload(Run("FUZZ"))


def _look(state: dict[str, Any]) -> None:
    memory = Memory()
    memory.see(state)  # type: ignore[arg-type]
    mirror(state, memory, random.Random(1))  # type: ignore[arg-type]


@fuzz
@given(changed(mcp_state()) | st.dictionaries(st.text(max_size=10), values))
def test_states_of_balatromcp(state: Any) -> None:
    if not isinstance(state, dict):
        return
    with refusing(JimbotError, KeyError, TypeError, ValueError):
        _look(balatromcp.read_state(state))  # type: ignore[arg-type]


@fuzz
@given(changed(game_state(Run("FUZZ"))) | st.dictionaries(st.text(max_size=10), values))
def test_states_of_balatrobot(state: Any) -> None:
    if not isinstance(state, dict):
        return
    with refusing(JimbotError):
        _look(state)


class World:
    """What answers in the game's place."""

    answer = b""

    def post(self, url: str, **_: Any) -> httpx.Response:
        return httpx.Response(200, content=self.answer, request=httpx.Request("POST", url))


WORLD = World()


@fuzz
@example(DEEP.encode())
@example(b'{"jsonrpc":"2.0","id":1,"error":{"data":[],"code":"x"}}')
@example(b'{"jsonrpc":"2.0","id":1,"error":{"data":{"name":[]},"code":null,"message":{}}}')
@given(
    st.binary()
    | changed({"jsonrpc": "2.0", "id": 1, "result": {"state": "SHOP"}}).map(
        lambda v: json.dumps(v).encode()
    )
    | changed(
        {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "m", "data": {"name": "n"}}}
    ).map(lambda v: json.dumps(v).encode())
)
def test_answers_of_balatrobot(body: bytes) -> None:
    with patch.object(httpx, "Client", lambda **_: WORLD):  # a real one takes long to make
        client = Client(patience=0)
    WORLD.answer = body
    with refusing(GameRefused, GameUnreachable):
        client.call("play", cards=[0])


# Files that come from elsewhere


def a_bundle() -> bytes:
    network = io.BytesIO()
    with zipfile.ZipFile(network, "w") as archive:
        archive.writestr("x", b"y")
    return bundles.pack({bundles.TABLE: b"version = 1\n", bundles.POLICY: network.getvalue()})


@fuzz
@given(st.binary() | damaged(a_bundle()))
def test_bundles(data: bytes) -> None:
    with refusing(bundles.BundleError, naming="it"):
        bundles.unpack(data, "it")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..\\x", "a/../../b"])
def test_a_bundle_writes_nowhere_else(name: str) -> None:
    buffer = io.BytesIO(a_bundle())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(name, b"x")
    try:
        _, parts = bundles.unpack(buffer.getvalue(), "it")
    except bundles.BundleError:
        return
    assert set(parts) == {bundles.TABLE, bundles.POLICY}


def test_a_bundle_that_unpacks_to_more_than_it_says_is_refused() -> None:
    manifest = json.loads(zipfile.ZipFile(io.BytesIO(a_bundle())).read(bundles.MANIFEST))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        text = json.dumps(manifest).encode()
        archive.writestr(bundles.MANIFEST, text)
        for part in manifest["parts"]:
            archive.writestr(part, b"\0" * (64 << 20))
        import hashlib

        archive.comment = hashlib.sha256(text).hexdigest().encode()
    import tracemalloc

    tracemalloc.start()
    try:
        with pytest.raises(bundles.BundleError, match="is damaged"):
            bundles.unpack(buffer.getvalue(), "it")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def _sealed(body: bytes) -> bytes:
    """An export whose checksum holds, whatever is in it."""
    import hashlib

    return body + hashlib.sha256(body).hexdigest().encode()


@fuzz
@given(st.binary() | st.binary().map(_sealed))
def test_exported_policies(data: bytes) -> None:
    with refusing(PolicyFileError, naming="it"):
        weights.unpack(data, "it")


@fuzz
@example(DEEP.encode())
@given(st.binary() | values.map(lambda v: json.dumps(v).encode()))
def test_strategies(data: bytes) -> None:
    with refusing(StoreError):
        strategies.parse(data)


@fuzz
@example(b"\x28\xb5\x2f\xfd")
@given(st.binary() | damaged(packing.compress(json.dumps({"a": "b" * 3000}))))
def test_payloads_in_the_log(data: bytes) -> None:
    with refusing(ValueError):
        packing.decode("", data)


@fuzz
@given(st.text() | values.map(json.dumps))
def test_texts_in_the_log(text: str) -> None:
    with refusing(ValueError):
        packing.decode(text, None)


def test_a_deep_text_in_the_log() -> None:
    with pytest.raises(ValueError, match="deep"):
        packing.decode(DEEP, None)


TABLE = Path(load.__code__.co_filename).with_name("appliance.toml").read_bytes()


@fuzz
@example(b"version = 1\n" + b"a = [" * 5000)
@example(b"\xff")
@given(st.binary() | damaged(TABLE))
def test_tables(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "t.toml").write_bytes(data)
        with refusing(TableError, naming=str(path)):
            load(path)


TOKENS = {
    "version": 1,
    "tokens": [
        {"id": "0" * 12, "name": "n", "role": "viewer", "sha256": "0" * 64, "created": 1.0},
    ],
}


@fuzz
@example(DEEP.encode())
@given(
    st.binary()
    | values.map(lambda v: json.dumps(v).encode())
    | changed(TOKENS).map(lambda v: json.dumps(v).encode())
)
def test_files_of_tokens(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "tokens.json").write_bytes(data)
        path.chmod(0o600)
        store = tokens.TokenStore([path])
        assert store.on
        assert store.check("jbt_" + "0" * 12 + "_" + "A" * 43) is None
        with refusing(TokenError, SecretError):
            tokens.read(path)


@fuzz
@given(st.text(max_size=300))
def test_tokens_that_somebody_shows(text: str) -> None:
    store = tokens.TokenStore([Path("/nonexistent")])
    assert store.check(text) is None


@fuzz
@example(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
@given(
    st.binary()
    | st.binary().map(
        lambda data: (
            b"-----BEGIN CERTIFICATE-----\n"
            + base64.encodebytes(data)
            + b"-----END CERTIFICATE-----\n"
        )
    )
)
def test_certificates(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "c.pem").write_bytes(data)
        with refusing(JimbotError, naming=str(path)):
            describe(path)


@fuzz
@example(b"\xff\n")
@given(st.binary())
def test_journals(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "acknowledged"
        directory.mkdir()
        (directory / "1-abc-0.ids").write_bytes(data)
        (directory / "no-journal").write_bytes(data)
        log = SQLiteEventLog(Path(folder) / "log.sqlite")
        try:
            Auditor(directory, log).audit()
        finally:
            log.close()


@fuzz
@example(DEEP.encode())
@example(b'{"../../../etc/passwd": [1, "x"]}')
@example(b'{"\\u0000": [1, "x"]}')
@given(
    st.binary()
    | values.map(lambda v: json.dumps(v).encode())
    | changed({"weights.bin": [3, "ab"]}).map(lambda v: json.dumps(v).encode())
)
def test_manifests_of_checkpoints(data: bytes) -> None:
    checkpoints = pytest.importorskip("jimbot.training.checkpoints")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / checkpoints.MANIFEST).write_bytes(data)
        (Path(folder) / "weights.bin").write_bytes(b"abc")
        said = checkpoints.damage(Path(folder))
        assert said or json.loads(data) == {}


@fuzz
@example(DEEP.encode())
@example(b"{}\n\xff\n[]\n")
@given(
    st.binary()
    | st.lists(changed({"number": 1, "digest": "x", "previous": "y"})).map(
        lambda rows: b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    )
)
def test_audit_logs(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        (folder_ := home.path / "audit").mkdir()
        (folder_ / audit.CURRENT).write_bytes(data)
        found = audit.verify(home)
        assert found.problems or found.records == 0
        list(audit.entries(home))
        audit.record(home, action="after", result="ok")


@fuzz
@given(values)
def test_hiding_secrets_in_anything(value: Any) -> None:
    json.dumps(redact.tree({"password": value, "x": value}))


@fuzz
@given(st.binary())
def test_keys_of_the_gateway(data: bytes) -> None:
    from jimbot.claude import keys

    with tempfile.TemporaryDirectory() as folder:
        (path := Path(folder) / "key").write_bytes(data)
        path.chmod(0o600)
        with refusing(KeyFileError, naming=str(path)):
            keys.read(path)


@fuzz
@example(DEEP)
@given(st.text() | values.map(json.dumps))
def test_questions_to_the_gateway(text: str) -> None:
    with refusing(ValueError):
        Question.model_validate_json(text)


def test_the_number_of_examples_is_what_it_says() -> None:
    seen: list[int] = []

    @fuzz
    @given(st.integers())
    def count(number: int) -> None:
        seen.append(number)

    check: Callable[[], None] = count
    check()
    assert len(seen) >= min(EXAMPLES, 40)
