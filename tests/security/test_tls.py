from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import connect

from jimbot.appliance import Home
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp.protocol import encode_event
from jimbot.mcp.secure import one_at_a_time
from jimbot.mcp.server import Outside
from jimbot.security import authority, tls
from jimbot.security.errors import CertificateError, SecretError
from jimbot.security.tls import Renewing
from tests.mcp.conftest import Running, dial, hear, heartbeat
from tests.mcp.test_sessions import hello
from tests.security.guarded import Guarded, security

NAMES = ["localhost", "127.0.0.1", "jimbot.test"]


def own_address() -> str:
    """An address of this machine that other machines may reach."""
    for addresses in psutil.net_if_addrs().values():
        for one in addresses:
            if one.family == socket.AF_INET and not one.address.startswith("127."):
                return one.address
    pytest.skip("this machine has no address but loopback")


@pytest.fixture
def files(tmp_path: Path) -> authority.Files:
    return authority.init(tmp_path / "guarded" / "secrets" / "tls", [*NAMES, own_address()])


@pytest.fixture
def outside(files: authority.Files, tmp_path: Path) -> Renewing:
    return Renewing(security(), Home(tmp_path / "guarded"))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SQLiteEventLog]:
    log = SQLiteEventLog(tmp_path / "log.sqlite")
    yield log
    log.close()


@pytest.fixture
def serve(
    log: SQLiteEventLog, outside: Renewing, guarded: Guarded
) -> Iterator[Callable[..., Running]]:
    """Starts mcp's WebSocket on loopback and, with TLS, on an address of the machine."""
    running: list[Running] = []

    def start(address: str = "0.0.0.0", **options: Any) -> Running:
        options = {
            "entrance": guarded.entrance,
            "outside": Outside(address, outside.context),
        } | options
        running.append(Running(log, **options))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def client_context(files: authority.Files) -> ssl.SSLContext:
    return one_at_a_time(ssl.create_default_context(cafile=str(files.ca)))


def presented(server: Running, files: authority.Files) -> str:
    """The serial number of the certificate that a new connection is shown."""
    address = (own_address(), server.server.port)
    with (
        socket.create_connection(address, 5) as plain,
        client_context(files).wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return str((secure.getpeercert() or {})["serialNumber"])


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "own"])
def test_a_game_on_another_machine_speaks_tls(
    serve: Callable[..., Running], files: authority.Files, guarded: Guarded, listen: str
) -> None:
    if listen == "::" and not socket.has_dualstack_ipv6():
        pytest.skip("no IPv6 here")
    address = own_address()
    server = serve(address if listen == "own" else listen)
    url = f"wss://{address}:{server.server.port}"
    with dial(url, ssl=client_context(files)) as game:
        assert game.socket.version() == "TLSv1.3"  # type: ignore[attr-defined]
        assert hello(game, "events", token=guarded.tokens["player"])["type"] == "welcome"
        game.send(encode_event(heartbeat("e1")))
        assert hear(game) == {"type": "ack", "event_ids": ["e1"]}
    # Loopback still speaks without, to the programs of this machine.
    with dial(server.url) as ours:
        assert hello(ours, "events", token=guarded.tokens["player"])["type"] == "welcome"


def test_another_machine_is_read_no_faster_than_its_pace(
    serve: Callable[..., Running],
    files: authority.Files,
    guarded: Guarded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jimbot.mcp.server._FRAMES_PER_S", 20.0)
    monkeypatch.setattr("jimbot.mcp.server._FRAME_BURST", 5)
    server = serve()
    url = f"wss://{own_address()}:{server.server.port}"
    with dial(url, ssl=client_context(files)) as game:
        assert hello(game, "events", token=guarded.tokens["player"])["type"] == "welcome"
        began = time.monotonic()
        for number in range(25):
            game.send(encode_event(heartbeat(f"e{number}")))
        heard: list[str] = []
        while len(heard) < 25:
            heard += hear(game)["event_ids"]
        assert time.monotonic() - began >= 0.9, "some twenty frames beyond the burst"
    assert heard == [f"e{number}" for number in range(25)], "late, and none lost"


def test_one_address_gets_no_more_than_its_share_of_connections(
    serve: Callable[..., Running], files: authority.Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.mcp.server._EACH_ADDRESS", 2)
    server = serve()
    url = f"wss://{own_address()}:{server.server.port}"
    with dial(url, ssl=client_context(files)), dial(url, ssl=client_context(files)):
        with pytest.raises(InvalidStatus) as refused, dial(url, ssl=client_context(files)):
            pass
        assert refused.value.response.status_code == 429
        with dial(server.url):
            pass  # this machine's own programs are another matter


@pytest.mark.parametrize("begins_tls", [False, True])
def test_one_address_that_shakes_no_hands_leaves_room_for_others(
    serve: Callable[..., Running],
    files: authority.Files,
    monkeypatch: pytest.MonkeyPatch,
    begins_tls: bool,
) -> None:
    monkeypatch.setattr("jimbot.mcp.server._EACH_ADDRESS", 2)
    monkeypatch.setattr("jimbot.mcp.server._SOCKETS", 8)
    monkeypatch.setattr("jimbot.mcp.server._OPEN_S", 30.0)
    server = serve()
    address = own_address(), server.server.port
    with contextlib.ExitStack() as stack:
        waiting = 0
        for _ in range(10):
            one = stack.enter_context(socket.create_connection(address, 20))
            try:
                if begins_tls:
                    one = client_context(files).wrap_socket(one, server_hostname="localhost")
                    stack.enter_context(one)
                one.settimeout(0.5)
                one.recv(1)
            except TimeoutError:
                waiting += 1
            except OSError:
                pass
        assert waiting == 4, "twice its share"
        with dial(server.url):
            pass
    until_nobody = time.monotonic() + 20
    while len(server.server._sockets):
        assert time.monotonic() < until_nobody
        time.sleep(0.02)


def test_without_tls_nobody_is_heard_from_outside(serve: Callable[..., Running]) -> None:
    server = serve()
    with (
        pytest.raises((OSError, EOFError, WebSocketException)),
        connect(
            f"ws://{own_address()}:{server.server.port}",
            compression=None,
            proxy=None,
            open_timeout=8,
        ),
    ):
        pass
    assert server.server.connections == 0


def test_without_a_token_nobody_is_heard_from_outside(
    serve: Callable[..., Running], files: authority.Files, tmp_path: Path, log: SQLiteEventLog
) -> None:
    from jimbot.security.entrance import Entrance

    empty = Home(tmp_path / "without-tokens")
    server = serve(entrance=Entrance.of(security(), empty))
    url = f"wss://{own_address()}:{server.server.port}"
    with dial(url, ssl=client_context(files)) as game:
        assert hello(game, "events")["code"] == "unauthorised"
        game.send(encode_event(heartbeat("e1")))
        assert hear(game)["code"] == "unauthorised"
    assert log.count() == 0


def test_guessing_from_outside_is_locked_out(
    serve: Callable[..., Running], files: authority.Files, guarded: Guarded
) -> None:
    server = serve()
    url = f"wss://{own_address()}:{server.server.port}"
    context = client_context(files)
    with dial(url, ssl=context) as game:
        for _ in range(4):
            assert "not known" in hello(game, token="wrong")["reason"]
        assert "wait" in hello(game, token="wrong")["reason"]
        with pytest.raises(ConnectionClosed):
            hear(game)
    with pytest.raises(InvalidStatus) as refused, dial(url, ssl=context):
        pass
    assert refused.value.response.status_code == 429


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_older_versions_are_refused(
    serve: Callable[..., Running], files: authority.Files, version: ssl.TLSVersion
) -> None:
    server = serve()
    context = client_context(files)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = version
    with (
        pytest.raises(ssl.SSLError),
        socket.create_connection((own_address(), server.server.port), 5) as plain,
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_tls_1_2_has_modern_suites_alone(files: authority.Files) -> None:
    context = tls.server_context(files.server, files.server_key, "1.2")
    names = {suite["name"] for suite in context.get_ciphers() if suite["protocol"] == "TLSv1.2"}
    assert names
    assert all(name.startswith("ECDHE-") for name in names)
    assert all("GCM" in name or "CHACHA20" in name for name in names)


def test_a_renewed_certificate_is_taken_and_no_connection_dropped(
    serve: Callable[..., Running],
    files: authority.Files,
    guarded: Guarded,
    outside: Renewing,
) -> None:
    server = serve()
    before = presented(server, files)
    url = f"wss://{own_address()}:{server.server.port}"
    with dial(url, ssl=client_context(files)) as game:
        assert hello(game, "events", token=guarded.tokens["player"])["type"] == "welcome"
        authority.renew(files.ca.parent, [*NAMES, own_address()])
        assert outside.look()
        assert presented(server, files) != before
        game.send(encode_event(heartbeat("e1")))
        assert hear(game) == {"type": "ack", "event_ids": ["e1"]}
    assert not outside.look()


def test_a_renewed_pair_that_does_not_match_is_not_taken(
    serve: Callable[..., Running], files: authority.Files, outside: Renewing, tmp_path: Path
) -> None:
    server = serve()
    before = presented(server, files)
    stranger = authority.init(tmp_path / "stranger", NAMES)
    key = files.server_key.read_bytes()
    files.server_key.write_bytes(stranger.server_key.read_bytes())
    assert not outside.look()
    files.server_key.write_bytes(b"")
    assert not outside.look()
    assert presented(server, files) == before
    files.server_key.write_bytes(key)
    assert outside.look()


def test_a_key_that_others_may_read_is_refused(files: authority.Files) -> None:
    files.server_key.chmod(0o640)
    with pytest.raises(SecretError, match="others than its owner"):
        tls.server_context(files.server, files.server_key)


def test_a_key_of_another_certificate_is_refused(files: authority.Files, tmp_path: Path) -> None:
    stranger = authority.init(tmp_path / "stranger", NAMES)
    with pytest.raises(CertificateError, match="is not the key of"):
        tls.server_context(files.server, stranger.server_key)


def test_the_authority_makes_what_it_should(files: authority.Files) -> None:
    for path in (files.ca_key, files.server_key):
        assert path.stat().st_mode & 0o777 == 0o600
    server, ca = tls.describe(files.server), tls.describe(files.ca)
    assert server.names == (*NAMES, own_address())
    assert server.issuer == ca.subject == "JimBot private CA"
    assert 395 < server.days_left < 398
    assert "verify" not in server.subject


def test_another_authority_is_not_trusted(serve: Callable[..., Running], tmp_path: Path) -> None:
    server = serve()
    stranger = authority.init(tmp_path / "stranger", NAMES)
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        socket.create_connection((own_address(), server.server.port), 5) as plain,
    ):
        client_context(stranger).wrap_socket(plain, server_hostname="localhost")


def test_a_port_that_another_program_has_is_noticed(
    log: SQLiteEventLog, outside: Renewing, guarded: Guarded
) -> None:
    import asyncio

    from jimbot.mcp.commit import Committer
    from jimbot.mcp.metrics import Metrics
    from jimbot.mcp.server import EventServer

    async def start(port: int) -> None:
        metrics = Metrics()
        async with Committer(log, metrics) as committer:
            door = EventServer(
                committer,
                metrics,
                port,
                entrance=guarded.entrance,
                outside=Outside("0.0.0.0", outside.context),
            )
            async with door:
                raise AssertionError("it listens where another does")

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        asyncio.run(start(taken.getsockname()[1]))


def test_clients_that_shake_no_hands_are_dropped_and_cost_nothing(
    serve: Callable[..., Running], files: authority.Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.mcp.server._OPEN_S", 0.5)
    server = serve()
    descriptors = psutil.Process().num_fds()
    silent = [socket.create_connection((own_address(), server.server.port), 5) for _ in range(30)]
    for one in silent[:10]:
        one.sendall(b"\x16\x03\x01\x02")  # begins a handshake, and never ends it
    deadline = time.monotonic() + 20
    for one in silent:
        one.settimeout(max(deadline - time.monotonic(), 0.1))
        try:
            while one.recv(4096):
                pass
        except ConnectionResetError:
            pass
        one.close()
    assert presented(server, files)
    while psutil.Process().num_fds() > descriptors + 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert psutil.Process().num_fds() <= descriptors + 2
