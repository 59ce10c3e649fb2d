"""Deployments on small real services: gates, going back, and power cuts at every step."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from websockets.exceptions import WebSocketException

from jimbot.appliance import Appliance, Home, load
from jimbot.appliance.render import toml
from jimbot.events import open_log
from jimbot.mcp.protocol import encode_event
from jimbot.operations import control, deploy, generations
from jimbot.operations.commands import Commands
from jimbot.operations.errors import GateClosed, OperationError
from jimbot.operations.ports import free as free_ports
from jimbot.operations.supervisor import Supervisor
from tests.mcp.conftest import dial, heartbeat

Fakes = Callable[[dict[str, dict[str, Any]]], tuple[Any, Any]]

SERVICES: dict[str, dict[str, Any]] = {
    "store": {},
    "worker": {"how": "works", "after": ["store"]},
    "page": {"depends": ["store"]},
}


class PowerCut(BaseException):
    """Nobody catches it, nothing is cleaned up."""


class Site:
    """An appliance, of fakes where there is a `command`, and tables to deploy on it."""

    def __init__(
        self,
        appliance: Appliance,
        command: Callable[[str], list[str]] | None,
        services: list[str],
        home: Home,
        folder: Path,
    ) -> None:
        self.appliance, self.command, self.services = appliance, command, services
        self.home = home
        self.table = folder / "table.toml"
        self.supervisor: Supervisor | None = None
        self.told: list[str] = []
        self.write()

    def write(self, **changes: Any) -> None:
        """Put down the table, with other numbers in it."""
        aggregation = self.appliance.aggregation.model_copy(update=changes)
        other = self.appliance.model_copy(update={"aggregation": aggregation})
        self.table.write_text(toml.table(other))

    def break_page(self) -> None:
        """Put down a table in which one service is asked where nobody listens."""
        page = self.appliance.service("page")
        assert page.health is not None
        health = page.health.model_copy(update={"start_s": 0.5})
        broken = page.model_copy(update={"ports": {"http": free_ports(1)[0]}, "health": health})
        services = {**self.appliance.services, "page": broken}
        self.table.write_text(toml.table(self.appliance.model_copy(update={"services": services})))

    def deploy(self) -> deploy.Plan:
        return deploy.deploy(self.home, self.table, self.told.append)

    def rollback(self, number: int | None = None) -> deploy.Plan:
        return deploy.rollback(self.home, number, self.told.append)

    def current(self) -> int | None:
        now = generations.current(self.home)
        return now.number if now else None

    def run(self, test: Callable[[], Awaitable[None]]) -> None:
        """Run the services, and a test beside them."""

        async def main() -> None:
            supervisor = Supervisor(
                self.appliance,
                self.home,
                self.services,
                command=self.command,
                environment={"JIMBOT_HOME": str(self.home.path), "JIMBOT_TABLE": str(self.table)},
            )
            self.supervisor = supervisor
            running = SimpleNamespace(
                home=self.home,
                appliance=self.appliance,
                supervisor=supervisor,
                generation=None,
                wish=SimpleNamespace(runtime="native", engine="podman"),
                summary=SimpleNamespace(profile="ci"),
                write_state=lambda: None,
            )
            supervisor.start()
            try:
                async with control.serving(self.home, Commands(running).handlers):  # type: ignore[arg-type]
                    await asyncio.wait_for(supervisor.wait_healthy(), 60)
                    await test()
            finally:
                await supervisor.stop(4)

        asyncio.run(main())

    def ran_as(self) -> set[int | None]:
        assert self.supervisor is not None
        return {service.generation for service in self.supervisor.services.values()}

    async def all_well(self) -> None:
        assert self.supervisor is not None
        services = self.supervisor.services.values()
        async with asyncio.timeout(15):
            while not all(it.health.status == "ok" and not it.drained for it in services):
                await asyncio.sleep(0.05)


@pytest.fixture
def site(fakes: Fakes, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    package = tmp_path / "lib" / "jimbot"  # which nobody edits while a test runs
    for name in ("__init__.py", "cli/serve.py", "__pycache__/serve.cpython-311.pyc"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    monkeypatch.setattr(generations, "_package", lambda: package)
    return Site(*fakes(SERVICES), list(SERVICES), home, tmp_path)


def test_a_deployment_rolls_one_by_one_and_back_again(
    site: Site, read_log: Callable[[str], str]
) -> None:
    async def test() -> None:
        first = await asyncio.to_thread(site.deploy)
        assert first.changes == ["it is the first generation"]
        assert first.drains == ["worker"]
        assert first.rolls == ["store", "worker", "page"]
        assert (site.current(), site.ran_as()) == (1, {1})
        assert site.told[0] == "worker: finishing its work"
        assert "done" in read_log("worker")
        await site.all_well()

        site.write(flush_ms=250)
        second = await asyncio.to_thread(site.deploy)
        assert second.changes == ["table"]
        assert (site.current(), site.ran_as()) == (2, {2})
        again = await asyncio.to_thread(site.deploy)
        assert again.changes == []
        assert site.current() == 2

        back = await asyncio.to_thread(site.rollback)
        assert back.generation.number == 1
        assert (site.current(), site.ran_as()) == (1, {1})
        forth = await asyncio.to_thread(site.rollback, 2)
        assert forth.generation.number == 2
        assert site.current() == 2
        await site.all_well()
        assert site.supervisor is not None
        assert [it.restarts for it in site.supervisor.services.values()] == [0, 0, 0]

    site.run(test)


def test_a_closed_gate_takes_everything_back(site: Site) -> None:
    async def test() -> None:
        await asyncio.to_thread(site.deploy)
        site.break_page()
        with pytest.raises(GateClosed, match="page did not become well: nothing listens") as closed:
            await asyncio.to_thread(site.deploy)
        assert closed.value.exit_code == 1
        assert (site.current(), site.ran_as()) == (1, {1})
        assert [each.number for each in generations.every(site.home)] == [1]
        assert generations.journal(site.home) is None
        await site.all_well()

    site.run(test)


# A journal is written at the beginning, before each service, and at the end.
@pytest.mark.parametrize("step", [0, 2, 4])
def test_a_power_cut_at_any_step_is_mended_by_the_next_deployment(
    site: Site, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    real = generations.note
    left = [step]

    def note(home: Home, entry: generations.Journal | None) -> None:
        if left[0] == 0:
            raise PowerCut
        left[0] -= 1
        real(home, entry)

    async def test() -> None:
        await asyncio.to_thread(site.deploy)
        site.write(flush_ms=250)
        monkeypatch.setattr(generations, "note", note)
        with pytest.raises(PowerCut):
            await asyncio.to_thread(site.deploy)
        monkeypatch.setattr(generations, "note", real)
        assert site.current() == (2 if step == 4 else 1)
        interrupted = generations.journal(site.home)
        assert (interrupted is None) == (step == 0)
        with generations.lock(site.home):
            await asyncio.to_thread(deploy.recover, site.home, site.told.append)
        assert generations.journal(site.home) is None
        await site.all_well()
        assert site.ran_as() == {site.current()}
        done = await asyncio.to_thread(site.deploy)  # what was cut off can be done again
        assert done.changes == ([] if step == 4 else ["table"])
        # Of the first step only a whole release is left, which nothing was rolled to; its number
        # is not given out again.
        number = 3 if step == 0 else 2
        assert site.current() == done.generation.number == number
        assert site.ran_as() == {number}

    site.run(test)


def test_where_nothing_runs_it_is_what_the_next_start_takes(site: Site) -> None:
    plan = deploy.plan(site.home, site.table)
    assert (plan.running, plan.rolls) == (False, [])
    assert generations.every(site.home) == []  # a plan writes nothing
    done = site.deploy()
    assert site.current() == done.generation.number == 1
    release = generations.release(site.home, 1)
    assert load(release.table) == load(site.table)
    assert (release.code / "jimbot" / "cli" / "serve.py").exists()
    assert not list(release.code.rglob("__pycache__"))


def test_a_store_that_was_migrated_is_not_given_to_what_came_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jimbot.operations import stores

    site.deploy()
    site.write(flush_ms=250)
    site.deploy()
    monkeypatch.setattr(
        stores, "status", lambda *_: [SimpleNamespace(name="events", schema_version=99)]
    )
    with pytest.raises(OperationError, match="events store has schema 99, generation 1 reads"):
        site.rollback()
    assert site.current() == 2


def test_generations_are_pruned_but_for_the_current_one(site: Site) -> None:
    for number in range(4):
        site.write(flush_ms=200 + number)
        site.deploy()
    site.rollback(1)
    assert generations.prune(site.home, 2) == [2]
    assert [each.number for each in generations.every(site.home)] == [1, 3, 4]
    assert len(list((generations.folder(site.home) / "code").iterdir())) == 1  # shared by all
    with pytest.raises(OperationError, match="there is no generation 2"):
        site.rollback(2)


def test_two_deployments_at_once_are_one_too_many(site: Site) -> None:
    with (
        generations.lock(site.home),
        pytest.raises(OperationError, match="another deployment is under way"),
    ):
        site.deploy()


def test_a_generation_that_is_half_there_is_none(site: Site) -> None:
    site.deploy()
    folder = generations.folder(site.home)
    (folder / "2").mkdir()
    (folder / "2" / "generation.json").write_text('{"number": 2')
    os.symlink("nonsense", folder / ".current.1")
    assert [each.number for each in generations.every(site.home)] == [1]
    site.write(flush_ms=250)
    appliance: Appliance = load(site.table)
    assert appliance.aggregation.flush_ms == 250


class Client(threading.Thread):
    """One of mcp's, as docs/mcp.md has them: it goes on in its session after each connection.

    It sends numbered events until it is told to end, or hears all that are stored.
    """

    def __init__(self, url: str, capability: str) -> None:
        super().__init__()
        self.ending = False
        self.welcomes: list[dict[str, Any]] = []
        self.sent: list[str] = []
        self.acknowledged: set[str] = set()
        self.heard: list[tuple[int, str]] = []
        self._url, self._capability = url, capability

    def run(self) -> None:
        until = time.monotonic() + 200
        while time.monotonic() < until and not self.is_done():
            try:
                with dial(self._url, open_timeout=2) as socket:
                    self._speak(socket)
            except (WebSocketException, OSError):
                time.sleep(0.05)

    def is_done(self) -> bool:
        return self.ending and self.acknowledged == set(self.sent)

    def _speak(self, socket: Any) -> None:
        hello = {"type": "hello", "protocol": 1, "client": "test"}
        if self.welcomes:
            hello["session"] = self.welcomes[0]["session"]
        socket.send(json.dumps(hello | {"capabilities": [self._capability]}))
        welcome = json.loads(socket.recv(timeout=20))
        self.welcomes.append(welcome)
        if self._capability == "subscribe":
            socket.send(json.dumps({"type": "subscribe"}))
        else:
            stored = welcome.get("last_event_id")
            for event_id in self.sent[self.sent.index(stored) + 1 if stored else 0 :]:
                socket.send(encode_event(heartbeat(event_id)))
        while not self.is_done():
            if self._capability == "events" and not self.ending:
                self.sent.append(f"e{len(self.sent):05}")
                socket.send(encode_event(heartbeat(self.sent[-1])))
            try:
                said = json.loads(socket.recv(timeout=0.02))
            except TimeoutError:
                continue
            if said["type"] == "ack":
                self.acknowledged.update(said["event_ids"])
            elif said["type"] == "events":
                self.heard += [(it["position"], it["event"]["event_id"]) for it in said["events"]]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sessions_with_mcp_go_on_through_deployments(
    appliance: Appliance, home: Home, tmp_path: Path
) -> None:
    row = appliance.service("mcp")
    assert row.health is not None
    patient = row.health.model_copy(update={"start_s": 60, "interval_s": 0.5, "timeout_s": 5})
    services = {**appliance.services, "mcp": row.model_copy(update={"health": patient})}
    quick = appliance.deploy.model_copy(update={"settle_s": 0.5})
    changed = appliance.model_copy(update={"services": services, "deploy": quick})
    site = Site(changed, None, ["mcp"], home, tmp_path)
    url = changed.url("mcp", "websocket", scheme="ws")
    writer, reader = Client(url, "events"), Client(url, "subscribe")

    async def test() -> None:
        for client in (reader, writer):
            client.start()
            while not client.welcomes:
                await asyncio.sleep(0.05)
        for flush_ms in (100, 150):
            before = len(writer.acknowledged)
            while len(writer.acknowledged) < before + 20:
                await asyncio.sleep(0.05)
            site.write(flush_ms=flush_ms)
            await asyncio.to_thread(site.deploy)
        writer.ending = True
        await asyncio.to_thread(writer.join)
        async with asyncio.timeout(20):
            while len(reader.heard) < len(writer.sent):
                await asyncio.sleep(0.05)
        reader.ending = True
        await asyncio.to_thread(reader.join)

    try:
        site.run(test)
    finally:
        for client in (writer, reader):
            client.ending, client.sent = True, list(client.acknowledged)
    assert site.current() == 2
    for client in (writer, reader):
        first, *later = client.welcomes
        assert first["resumed"] is False
        assert len(later) >= 2  # each deployment restarted mcp
        assert {(it["resumed"], it["session"]) for it in later} == {(True, first["session"])}
    log = open_log(home, read_only=True)
    stored = [entry.event.event_id for entry in log.read(limit=1_000_000)]
    log.close()
    # Nothing is lost and nothing there twice, in the log and for who reads along.
    assert stored == [f"e{number:05}" for number in range(len(stored))]
    assert stored == sorted(writer.acknowledged)
    assert reader.heard == list(enumerate(stored, 1))
