"""`jimbot forward`: both sides of a closed network, each a process."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from jimbot.operations.ports import free as free_ports


@contextlib.contextmanager
def forwarding(*arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "jimbot", *arguments])
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0


@contextlib.contextmanager
def echo() -> Iterator[int]:
    """A server that says in capitals what it is told; its port."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    while data := connection.recv(100):
                        connection.sendall(data.upper())

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def ask(port: int, said: bytes) -> bytes:
    """What a port answers, when it is there at last."""
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as it:
            it.sendall(said)
            it.shutdown(socket.SHUT_WR)
            answer = b""
            while data := it.recv(4096):
                answer += data
            if answer:
                return answer
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_ports_lead_in_and_the_way_out_to_whom_the_table_names_alone(tmp_path: Path) -> None:
    text = resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")
    (way_out,) = free_ports(1)
    folder, table = tmp_path / "sockets", tmp_path / "table.toml"
    folder.mkdir()
    with echo() as server, echo() as other:
        # Its base URL's server is the one that may be reached.
        line = next(each for each in text.splitlines() if each.startswith("base_urls"))
        table.write_text(text.replace(line, f'base_urls = ["https://127.0.0.1:{server}"]'))
        out = f"--out={way_out}"
        # Outside and inside are one loopback here, where the server has its port already.
        published = str(free_ports(1)[0])
        outside = ["forward", "--outside", out, "--for=claude", str(folder), published]
        with forwarding("--table", str(table), *outside):
            deadline = time.monotonic() + 60
            while not (folder / f"{way_out}.sock").exists():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            with forwarding("forward", out, str(folder), str(other)):
                hello = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\nhello"
                assert ask(way_out, hello % server).endswith(b"\r\n\r\nHELLO")
                assert ask(way_out, hello % other).startswith(b"HTTP/1.1 403")
                with socket.socket(socket.AF_UNIX) as inside:
                    inside.connect(str(folder / f"{other}.sock"))
                    inside.sendall(b"hello")
                    assert inside.recv(100) == b"HELLO"
                (folder / f"{published}.sock").symlink_to(f"{other}.sock")
                assert ask(int(published), b"hello") == b"HELLO"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--outside", "127.0.0.1", "80"], "--out and --outside want a folder"),
        (["--out=8093", "127.0.0.1", "80"], "--out and --outside want a folder"),
        (["--for=claude", "/tmp", "80"], "--for says whom --outside --out leads to"),
        (["--for=nope", "--outside", "--out=8093", "/tmp", "80"], "unknown service 'nope'"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jimbot", "forward", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert words in done.stderr
