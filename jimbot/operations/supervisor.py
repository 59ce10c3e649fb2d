"""Starts services in the order of the table, restarts what dies, stops all and leaves no orphan."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import psutil

from jimbot.appliance import Appliance, Home
from jimbot.operations import health, logs, process
from jimbot.operations.errors import OperationError

log = logging.getLogger(__name__)

# A service that ran this long may start again at once: its failures are not one series.
_SETTLED_S = 60.0


class Supervised:
    """One service under supervision: its process, its last health, its restarts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: asyncio.subprocess.Process | None = None
        self.output: logs.Pipe | None = None
        self.spawned: float | None = None  # until it is healthy
        self.started = asyncio.Event()
        self.healthy = asyncio.Event()
        self.health = health.ServiceHealth(status="unknown", reason="not started yet")
        self.restarts = 0
        self.peak_rss_mb = 0.0
        self.rss_mb = 0.0

    def starting(self, start_s: float) -> bool:
        """Whether it may still be unwell because it has only just been started."""
        return self.spawned is not None and time.monotonic() - self.spawned < start_s


class Supervisor:
    """Runs `services` until `stop`.

    Each service starts when those it `depends` on are healthy and those it comes `after` have
    been started; what does not wait starts at once. A process that ends is started again, after
    a delay that doubles from failure to failure.

    Args:
        command: makes a service's command line; replaced in tests.
    """

    def __init__(
        self,
        appliance: Appliance,
        home: Home,
        services: Iterable[str],
        *,
        environment: dict[str, str] | None = None,
        command: Callable[[str], list[str]] | None = None,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.services = {name: Supervised(name) for name in services}
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._appliance = appliance
        self._home = home
        self._environment = environment or {}
        self._command = command or _jimbot
        self._changed = changed or (lambda: None)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._logs = {name: logs.LogFile(home, name, appliance.logs) for name in self.services}
        self._stopping = False
        # Held while a process is made, so that a sweep never takes a newborn for a stray.
        self._spawning = asyncio.Lock()
        self._not_ours: set[int] = set()

    def start(self) -> None:
        """Begin; returns at once. A service that cannot ever start fails `failure`."""
        process.adopt_orphans()
        self._not_ours = {child.pid for child in psutil.Process().children(recursive=True)}
        for name, service in self.services.items():
            self._tasks[name] = asyncio.create_task(self._keep(service))
        self._watch = asyncio.create_task(self._ask_health())

    async def wait_healthy(self) -> None:
        """Until every service has been healthy; raises what `failure` holds if one cannot."""
        waiting: set[asyncio.Future[Any]] = {
            asyncio.ensure_future(service.healthy.wait()) for service in self.services.values()
        }
        try:
            while waiting and not self.failure.done():
                done, _ = await asyncio.wait(
                    {*waiting, self.failure}, return_when=asyncio.FIRST_COMPLETED
                )
                waiting -= done
        finally:
            for task in waiting:
                task.cancel()
        if self.failure.done():
            self.failure.result()

    def measure(self) -> None:
        """Bring the services' memory figures up to date."""
        for service in self.services.values():
            if service.process and service.process.returncode is None:
                service.rss_mb = process.memory_mb(process.tree(service.process.pid))
                service.peak_rss_mb = max(service.peak_rss_mb, service.rss_mb)

    async def stop(self, timeout_s: float) -> list[str]:
        """Stop all in reverse order within `timeout_s`; returns what had to be killed."""
        self._stopping = True
        if self._watch:
            self._watch.cancel()
        deadline = time.monotonic() + timeout_s
        killed: list[str] = []
        stopped = {name: asyncio.Event() for name in self.services}

        async def stop_one(service: Supervised) -> None:
            for other in self._dependents(service.name):
                await stopped[other].wait()
            try:
                # What others depend on keeps a second for itself when they take long.
                left = max(deadline - time.monotonic() - self._rank(service.name), 0.5)
                if await self._end(service, left):
                    killed.append(service.name)
            finally:
                stopped[service.name].set()

        await asyncio.gather(*(stop_one(service) for service in self.services.values()))
        if strays := self._strays():
            log.warning("killing what services left behind: %s", [p.pid for p in strays])
            await asyncio.to_thread(process.kill, strays)
        for name, sink in self._logs.items():
            if output := self.services[name].output:
                output.close()
            await asyncio.to_thread(sink.close)
        return killed

    def _waits_for(self, name: str) -> set[str]:
        row = self._appliance.service(name)
        return {other for other in (*row.depends, *row.after) if other in self.services}

    def _dependents(self, name: str) -> list[str]:
        return [other for other in self.services if name in self._waits_for(other)]

    def _rank(self, name: str) -> int:
        """How many services in a row must stop after this one."""
        return max((1 + self._rank(other) for other in self._waits_for(name)), default=0)

    async def _keep(self, service: Supervised) -> None:
        row = self._appliance.service(service.name)
        for other in row.depends:
            if other in self.services:
                await self.services[other].healthy.wait()
        for other in row.after:
            if other in self.services:
                await self.services[other].started.wait()
        delay = self._appliance.supervision.backoff_first_s
        while not self._stopping:
            began = time.monotonic()
            await self._spawn(service)
            assert service.process is not None
            code = await service.process.wait()
            await self._sweep()
            if service.output:
                await service.output.drained()
            if self._stopping:
                return
            service.health = health.ServiceHealth(status="fail", reason=f"ended with code {code}")
            if code == 2 and not service.healthy.is_set():
                self._fail(service)
                return
            if time.monotonic() - began > _SETTLED_S:
                delay = self._appliance.supervision.backoff_first_s
            log.warning(
                "%s ended with code %s; starting it again in %g s", service.name, code, delay
            )
            await asyncio.sleep(delay)
            delay = min(delay * 2, self._appliance.supervision.backoff_limit_s)
            service.restarts += 1

    async def _spawn(self, service: Supervised) -> None:
        environment = os.environ | self._environment | {process.SUPERVISOR_PID: str(os.getpid())}
        async with self._spawning:
            if service.output:
                service.output.close()
            service.output = output = logs.Pipe(self._logs[service.name])
            try:
                service.process = await asyncio.create_subprocess_exec(
                    *self._command(service.name),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output.write_end,
                    stderr=output.write_end,
                    env=environment,
                    start_new_session=True,  # the terminal's Ctrl-C is for the supervisor alone
                )
            finally:
                output.started()
        service.spawned = time.monotonic()
        service.started.set()
        self._changed()

    def log_file(self, name: str) -> Path:
        return self._home.logs / f"{name}.jsonl"

    async def _sweep(self) -> None:
        """Kill orphans: what came to us because the service above it died."""
        async with self._spawning:
            strays = self._strays()
        await asyncio.to_thread(process.kill, strays)

    def _strays(self) -> list[psutil.Process]:
        """Descendants of this process that belong to no running service."""
        known = set(self._not_ours)
        for service in self.services.values():
            if service.process and service.process.returncode is None:
                known |= {member.pid for member in process.tree(service.process.pid)}
        return [p for p in psutil.Process().children(recursive=True) if p.pid not in known]

    def _fail(self, service: Supervised) -> None:
        """A service that says by exit code 2 that it cannot start ends the whole start."""
        message = last_line(self.log_file(service.name)) or "no reason given"
        if not self.failure.done():
            self.failure.set_exception(
                OperationError(f"{service.name} cannot start: {message.removeprefix('jimbot: ')}")
            )

    async def _end(self, service: Supervised, timeout_s: float) -> bool:
        """Stop one service; True when it had to be killed."""
        task = self._tasks.get(service.name)
        running = service.process
        killed = False
        if running and running.returncode is None:
            members = process.tree(running.pid)
            running.terminate()
            try:
                await asyncio.wait_for(running.wait(), timeout_s)
            except TimeoutError:
                killed = True
                log.warning("%s did not stop within %.1f s: killed", service.name, timeout_s)
                running.kill()
                await running.wait()
            await asyncio.to_thread(process.kill, [p for p in members[1:] if p.is_running()])
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return killed

    async def _ask_health(self) -> None:
        """Ask each service, often until it is first healthy, then at the table's interval."""

        async def follow(service: Supervised) -> None:
            row = self._appliance.service(service.name)
            if row.health is None:
                return
            async with httpx.AsyncClient(trust_env=False) as client:
                while True:
                    if service.process and service.process.returncode is None:
                        answer = await health.check(self._appliance, service.name, client)
                        if answer.status in ("ok", "warn"):
                            service.healthy.set()
                            service.spawned = None
                        elif service.starting(row.health.start_s):
                            reason = f"starting: {answer.reason}"
                            answer = health.ServiceHealth(status="unknown", reason=reason)
                        service.health = answer
                    settled = service.healthy.is_set() and service.health.status == "ok"
                    await asyncio.sleep(row.health.interval_s if settled else 0.25)

        follows: list[Awaitable[None]] = [follow(service) for service in self.services.values()]
        await asyncio.gather(*follows)


def _jimbot(name: str) -> list[str]:
    return [sys.executable, "-m", "jimbot", "serve", name]


def last_line(path: Path) -> str:
    """The message of a log's last line, whether it is a JSON record or plain text."""
    try:
        lines = path.read_text("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    if not lines:
        return ""
    try:
        return str(json.loads(lines[-1]).get("message", lines[-1]))
    except (ValueError, AttributeError):
        return lines[-1]
