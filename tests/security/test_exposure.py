"""What listens where, and what of secrets can be seen: with the services as they run."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from jimbot.appliance import Appliance, Home, TableError, load
from jimbot.security import authority, tokens
from tests import processes
from tests.conftest import table_on_free_ports

ROOT = Path(__file__).parents[2]
CANARY = "sk-ant-canary0123456789canary"


class Appliances:
    """Services of one home, in processes of their own."""

    def __init__(self, directory: Path, **changes: str) -> None:
        self.home = Home(directory / "home")
        self.home.prepare()
        self.table = table_on_free_ports(directory)
        text = self.table.read_text()
        for old, new in changes.items():
            key = old.replace("__", " ")
            text = "\n".join(
                f"{key} = {new}" if line.startswith(f"{key} = ") else line
                for line in text.splitlines()
            )
        self.table.write_text(text)
        self.appliance: Appliance = load(self.table)
        self.logs = directory / "logs"
        self.logs.mkdir()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        environment = {
            **os.environ,
            "JIMBOT_HOME": str(self.home.path),
            "JIMBOT_TABLE": str(self.table),
            "JIMBOT_LOG_LEVEL": "DEBUG",
        }
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "jimbot", "serve", name, "--profile", "ci"],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()

    def until_answers(self, name: str, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            assert self.processes[name].poll() is None, self.log(name)
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(self.appliance.url(name) + "/health", trust_env=False, timeout=10)
                return
            assert time.monotonic() < deadline, self.log(name)
            time.sleep(0.05)

    def everything_of(self, name: str) -> list[psutil.Process]:
        top = psutil.Process(self.processes[name].pid)
        return [top, *top.children(recursive=True)]

    def listening(self, name: str) -> set[tuple[str, int]]:
        """Addresses and ports that a service and its children listen on."""
        found = set()
        for process in self.everything_of(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                found |= {
                    (one.laddr.ip, one.laddr.port)
                    for one in process.net_connections("inet")
                    if one.status == psutil.CONN_LISTEN
                }
        return found

    def stop(self) -> None:
        processes.stop(self.processes.values(), 20)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Appliances]:
    running = Appliances(tmp_path)
    yield running
    running.stop()


def is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    return found.is_loopback or bool(
        isinstance(found, ipaddress.IPv6Address)
        and found.ipv4_mapped
        and found.ipv4_mapped.is_loopback
    )


# What listens where


def test_all_services_listen_on_loopback_alone(services: Appliances) -> None:
    for name in ("mcp", "analytics", "claude"):
        services.start(name)
    for name in ("mcp", "analytics", "claude"):
        services.until_answers(name)
        ports = set(services.appliance.service(name).ports.values())
        assert services.listening(name) == {("127.0.0.1", port) for port in ports}


def test_with_an_address_mcp_alone_is_reachable_and_by_one_port(tmp_path: Path) -> None:
    services = Appliances(tmp_path, listen='"0.0.0.0"')
    authority.init(services.home.path / "secrets" / "tls", ["localhost"])
    tokens.create(services.home, services.appliance.security, "game", "player")
    try:
        services.start("mcp")
        services.until_answers("mcp")
        ports = services.appliance.service("mcp").ports
        assert services.listening("mcp") == {
            ("127.0.0.1", ports["http"]),
            ("127.0.0.1", ports["websocket"]),
            ("0.0.0.0", ports["websocket"]),
        }
    finally:
        services.stop()


@pytest.mark.parametrize("lacks", ["tokens", "certificate", "key that is private"])
def test_mcp_does_not_start_for_others_without_tls_or_tokens(tmp_path: Path, lacks: str) -> None:
    services = Appliances(tmp_path, listen='"0.0.0.0"')
    if lacks != "certificate":
        files = authority.init(services.home.path / "secrets" / "tls", ["localhost"])
        if lacks == "key that is private":
            files.server_key.chmod(0o644)
    if lacks != "tokens":
        tokens.create(services.home, services.appliance.security, "game", "player")
    services.start("mcp")
    try:
        assert services.processes["mcp"].wait(60) == 2
        said = services.log("mcp")
        assert "jimbot: " in said
        assert "Traceback" not in said
    finally:
        services.stop()


def test_a_table_without_a_certificate_for_others_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="without TLS"):
        Appliances(tmp_path, listen='"192.0.2.1"', certificates="[]")


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_what_of_ray_listens(services: Appliances) -> None:
    """All of it on loopback, and asking for the cluster's token besides."""
    pytest.importorskip("ray")
    services.start("ray-head")
    deadline = time.monotonic() + 300
    while '"ready"' not in services.log("ray-head"):
        assert services.processes["ray-head"].poll() is None, services.log("ray-head")
        assert time.monotonic() < deadline, services.log("ray-head")
        time.sleep(0.2)
    beyond = {
        (process.name(), one.laddr.port)
        for process in services.everything_of("ray-head")
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN and not is_loopback(one.laddr.ip)
    }
    assert beyond == set()
    token = services.home.run / "ray-token"
    assert token.stat().st_mode & 0o077 == 0
    for process in services.everything_of("ray-head"):
        assert token.read_text() not in " ".join(process.cmdline())


# Secrets


def test_no_secret_is_in_a_log_an_answer_an_error_or_the_process_list(tmp_path: Path) -> None:
    services = Appliances(tmp_path)
    folder = services.home.path / "secrets" / "claude"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "key").write_text(CANARY)
    (folder / "key").chmod(0o600)
    made = {
        role: tokens.create(services.home, services.appliance.security, role, role).text  # type: ignore[arg-type]
        for role in ("viewer", "player", "admin")
    }
    own = tokens.own(services.home)
    assert own is not None
    hidden = [CANARY, own, *made.values()]
    hidden += [text.split("_", 2)[2] for text in (own, *made.values())]
    seen: list[str] = []
    try:
        names = ("mcp", "analytics", "claude")
        for name in names:
            services.start(name)
        for name in names:
            services.until_answers(name)
        with httpx.Client(trust_env=False, timeout=20) as http:
            for token in (*made.values(), "wrong"):
                headers = {"Authorization": f"Bearer {token}"}
                for name, path in (
                    ("mcp", "/api/v1/commands/poll"),
                    ("mcp", f"/{token}"),
                    ("analytics", "/api/v1/session"),
                    ("analytics", "/api/v1/summary"),
                    ("claude", "/api/v1/costs"),
                ):
                    answer = http.get(services.appliance.url(name) + path, headers=headers)
                    seen.append(answer.text.replace(f"/{token}", ""))
                answer = http.post(
                    services.appliance.url("claude") + "/api/v1/keys/reload", headers=headers
                )
                seen.append(answer.text)
                assert (answer.status_code == 200) == (token == made["admin"])
            for name in names:
                url = services.appliance.url(name)
                seen += [
                    http.get(url + path).text for path in ("/metrics", "/health", "/openapi.json")
                ]
        asyncio.run(_speak(services, made["player"]))
        for name in names:
            for process in services.everything_of(name):
                seen.append(" ".join(process.cmdline()))
                seen.append(json.dumps(process.environ()))
    finally:
        services.stop()
    seen += [services.log(name) for name in services.processes]
    seen += [
        path.read_text(errors="replace")
        for path in services.home.path.rglob("*")
        if path.is_file() and "secrets" not in path.relative_to(services.home.path).parts
    ]
    for secret in hidden:
        for text in seen:
            assert secret not in text


async def _speak(services: Appliances, token: str) -> None:
    from websockets.asyncio.client import connect

    url = services.appliance.url("mcp", "websocket", scheme="ws")
    async with connect(url, proxy=None) as socket:
        for said in (token, "wrong"):
            hello: dict[str, Any] = {"type": "hello", "protocol": 1, "client": "x", "token": said}
            await socket.send(json.dumps(hello))
            answer = await socket.recv()
            assert token not in str(answer)


def test_errors_of_the_command_line_show_no_secret(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for secret in ("secrets/tokens.json", "secrets/claude/key"):
        (path := home / secret).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(f'{{"version": 1, "tokens": [{{"id": "{CANARY}"}}]}}')
        path.chmod(0o600)
    for arguments in (
        ["tokens", "list"],
        ["tokens", "create", "x", "--role", "viewer"],
        ["claude", "rotate-key", "--from-file", str(path)],
        ["audit", "verify", "--head", CANARY * 4],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "jimbot", "--home", str(home), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2, (arguments, done)
        assert "Traceback" not in done.stderr
        if arguments[0] != "audit":  # which shows what it was given
            assert CANARY not in done.stdout + done.stderr
