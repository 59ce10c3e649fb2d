from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import httpx
import pytest

from jimbot.mcp.balatrobot import picture
from jimbot.mcp.balatrobot.server import LocalFiles
from jimbot.operations.ports import free as free_ports
from tests.mcp.balatrobot.conftest import Player, Served, check_error


def talk(port: int, request: bytes) -> tuple[int, dict[str, object]]:
    """Send bytes, read to the end; the status and the body."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
        link.sendall(request)
        answer = b""
        while chunk := link.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Connection: close" in head
    return int(head.split()[1]), json.loads(body)


def post(body: bytes, head: str = "") -> bytes:
    return f"POST / HTTP/1.1\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


HEALTH = b'{"jsonrpc": "2.0", "method": "health", "id": 1}'


def test_http(served: Served) -> None:
    assert talk(served.port, post(HEALTH)) == (
        200,
        {"jsonrpc": "2.0", "result": {"status": "ok"}, "id": 1},
    )
    for request, status in (
        (b"GET / HTTP/1.1\r\n\r\n", 405),
        (b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 404),
        (b"nonsense\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -4\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\n\r\n", 200),
        (post(HEALTH, "Origin: http://evil.example\r\n"), 403),
        (post(b"x" * 65537), 400),
        (b"POST / HTTP/1.1\r\nX: " + b"y" * 40000 + b"\r\n\r\n", 400),
    ):
        try:
            found, body = talk(served.port, request)
        except ConnectionError:  # refused while we were still sending
            assert status == 400
            continue
        assert found == status
        check_error(body["error"])  # type: ignore[arg-type]
    assert talk(served.port, post(HEALTH + b" " * (65536 - len(HEALTH))))[0] == 200


def test_half_a_request_disturbs_nobody(served: Served) -> None:
    half = socket.create_connection(("127.0.0.1", served.port))
    half.sendall(b"POST / HTTP/1.1\r\nContent-Length: 50\r\n\r\n{")
    assert talk(served.port, post(HEALTH))[0] == 200
    half.close()
    assert talk(served.port, post(HEALTH))[0] == 200


def test_concurrent_clients_do_not_corrupt_a_game(served: Served) -> None:
    served.game.call("start", {"deck": "RED", "stake": "WHITE", "seed": "CONC"})
    served.game.call("select", {})
    served.game.call("set", {"money": 0})
    answers: list[dict[str, object]] = []

    def ask(number: int) -> None:
        for n in range(15):
            body = {"jsonrpc": "2.0", "method": "rearrange", "id": f"{number}-{n}"}
            body["params"] = {"hand": [1, 0, 2, 3, 4, 5, 6, 7]}  # type: ignore[assignment]
            answers.append(httpx.post(f"http://127.0.0.1:{served.port}", json=body).json())
            assert answers[-1]["id"] is not None

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["id"] for answer in answers}) == 60
    run = served.game.run
    assert run is not None
    assert len({card.id for card in run.full_deck}) == 52
    order = [card.id for card in run.hand]
    run.sort_hand()
    assert [card.id for card in run.hand] == order  # 60 swaps: back where it began


def test_games_are_independent(served: Served) -> None:
    other = Served()
    try:
        served.game.call("start", {"deck": "RED", "stake": "WHITE"})
        body = {"jsonrpc": "2.0", "method": "gamestate", "id": 1}
        states = [
            httpx.post(f"http://127.0.0.1:{port}", json=body).json()["result"]["state"]
            for port in (served.port, other.port)
        ]
        assert states == ["BLIND_SELECT", "MENU"]
    finally:
        other.close()


def test_a_taken_port_is_one_clear_line() -> None:
    from click.testing import CliRunner

    from jimbot.cli.game import command

    port = free_ports(1)[0]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        result = CliRunner().invoke(command, ["serve", "--port", str(port)])
    assert str(port) in str(result.exception)
    result = CliRunner().invoke(command, ["serve", "--port", "65535", "--games", "2"])
    assert result.exit_code == 2


def test_local_files_are_replaced_whole(tmp_path: Path) -> None:
    files = LocalFiles()
    path = str(tmp_path / "save")
    files.write(path, b"one")
    files.write(path, b"two")
    assert files.read(path) == b"two"
    with pytest.raises(OSError, match="No such"):
        files.write(str(tmp_path / "no" / "save"), b"x")
    with pytest.raises(OSError, match="directory"):
        files.write(str(tmp_path), b"x")
    assert [one.name for one in tmp_path.iterdir()] == ["save"]


def decode(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and dots of an 8-bit RGB PNG with unfiltered rows."""
    import struct
    import zlib

    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0] == zlib.crc32(
            kind + data
        )
        chunks[kind] = data
        at += 12 + size
    width, height, depth, colours = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, colours) == (8, 2)
    rows = zlib.decompress(chunks[b"IDAT"])
    assert len(rows) == height * (1 + 3 * width)
    assert set(rows[:: 1 + 3 * width]) == {0}
    return width, height, rows


def test_a_screenshot_is_a_picture_of_the_state(player: Player) -> None:
    pictures = []
    for go in (lambda: player("menu"), player.start, player.to_hand, player.to_shop):
        go()
        player("screenshot", path="shot.png")
        width, height, dots = decode(player.files.files["shot.png"])
        assert (width, height) == (picture.WIDTH, picture.HEIGHT)
        pictures.append(dots)
    assert len(set(pictures)) == 4
    player.to_pack("p_arcana_normal_1")
    player("screenshot", path="shot.png")
    decode(player.files.files["shot.png"])
