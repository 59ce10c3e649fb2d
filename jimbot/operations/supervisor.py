"""Starts services in the order of the table, restarts what dies, stops all and leaves no orphan."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from jimbot import usage
from jimbot.appliance import Appliance, Home, Service
from jimbot.appliance.model import HealthCheck
from jimbot.operations import health, logs, process
from jimbot.operations.errors import OperationError
from jimbot.operations.runtime import Processes, Runtime

log = logging.getLogger(__name__)

# A service that ran this long may start again at once: its failures are not one series.
_SETTLED_S = 60.0


class Supervised:
    """One service under supervision: its process, its last health, its restarts.

    Attributes:
        drained: taken out of work by command; it stays down until `undrain`.
        looping: in a crash loop, so that it is tried again only now and then.
        generation: which generation's code and table it runs; None for the supervisor's own.
        spawns: how often it was started.
    """

    def __init__(self, name: str, generation: int | None = None) -> None:
        self.name = name
        self.process: asyncio.subprocess.Process | None = None
        self.output: logs.Pipe | None = None
        self.spawned: float | None = None  # until it is healthy
        self.started = asyncio.Event()
        self.healthy = asyncio.Event()
        self.health = health.ServiceHealth(status="unknown", reason="not started yet")
        self.restarts = 0
        self.spawns = 0
        self.peak_rss_mb = 0.0
        self.rss_mb = 0.0
        self.drained = False
        self.looping = False
        self.generation = generation
        self.failures: deque[float] = deque()
        self.unanswered = 0
        self.asked = False  # its end was asked for: no failure
        self.wake = asyncio.Event()  # ends a wait before the next start

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def starting(self, start_s: float) -> bool:
        """Whether it may still be unwell because it has only just been started."""
        return self.spawned is not None and time.monotonic() - self.spawned < start_s


class Supervisor:
    """Runs `services` until `stop`.

    Each service starts when those it `depends` on are healthy and those it comes `after` have
    been started; what does not wait starts at once. A process that ends, or that hangs, is started
    again after a delay that doubles from failure to failure; one that fails too often is in a
    crash loop and is tried only now and then.

    Args:
        command: makes a service's command line; replaced in tests.
        runtime: where services run; plain processes if none.
        generation: which one all start with.
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
        runtime: Runtime | None = None,
        generation: int | None = None,
    ) -> None:
        self.services = {name: Supervised(name, generation) for name in services}
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.runtime: Runtime = runtime or Processes(command)
        self._rows = {name: appliance.service(name) for name in self.services}
        self._appliance = appliance
        self._home = home
        self._environment = environment or {}
        self._changed = changed or (lambda: None)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watch: asyncio.Task[None] | None = None
        self._logs = {name: logs.LogFile(home, name, appliance.logs) for name in self.services}
        self._stopping = False
        # Held while a process is made, so that a sweep never takes a newborn for a stray.
        self._spawning = asyncio.Lock()
        self._not_ours: set[int] = set()
        # Children of this process that somebody else looks after; `jimbot up` fills it in.
        self.spared: set[int] = set()

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
            if service.running and service.process:
                service.rss_mb = self.runtime.memory_mb(service.name, service.process.pid)
                service.peak_rss_mb = max(service.peak_rss_mb, service.rss_mb)
            else:
                service.rss_mb = 0.0

    def usages(self) -> list[usage.Usage]:
        """What each running service uses, wherever it runs."""
        on_gpu = usage.gpu_processes()
        found = []
        for service in self.services.values():
            if not (service.running and service.process):
                continue
            if top := self.runtime.top(service.name, service.process.pid):
                one = usage.of_process(service.name, top, service.restarts, on_gpu)
                found += [one] if one else []
        return found

    def row(self, name: str) -> Service:
        """The table's row that a service runs by now.

        Raises:
            OperationError: it is not among the services of this run.
        """
        if name not in self.services:
            raise OperationError(
                f"{name} is not among the running services",
                hint=f"There are: {', '.join(self.services)}",
            )
        return self._rows[name]

    async def restart(
        self, name: str, *, generation: int | None = None, appliance: Appliance | None = None
    ) -> None:
        """End a service, having it finish its work first, and start it again, also when it was
        drained.

        Args:
            generation: which one it belongs to from now on, where `appliance` is given.
            appliance: the table that it runs by from now on.
        """
        self.row(name)
        service = self.services[name]
        await self._end_by_command(service)
        if appliance is not None:
            self._rows[name] = appliance.service(name)
            service.generation = generation
        self._begin_again(service)

    async def drain(self, name: str) -> None:
        """Have a service finish what it is in the middle of, and keep it down."""
        self.row(name)
        service = self.services[name]
        service.drained = True
        self._changed()  # from now on nobody expects it to be well
        await self._end_by_command(service)
        service.health = health.ServiceHealth(
            status="unknown", reason="drained", hint=f"Take it back: jimbot undrain {name}"
        )
        self._changed()

    def undrain(self, name: str) -> None:
        """Take a drained service back, and try one in a crash loop at once; any other is left as
        it is."""
        self.row(name)
        if self.services[name].drained or self.services[name].looping:
            self._begin_again(self.services[name])

    def _begin_again(self, service: Supervised) -> None:
        service.drained = False
        service.looping = False
        service.failures.clear()
        service.health = health.ServiceHealth(status="unknown", reason="starting")
        service.wake.set()

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
                await self._forget(service)
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
        await self.runtime.close()
        return killed

    def _waits_for(self, name: str) -> set[str]:
        row = self._rows[name]
        return {other for other in (*row.depends, *row.after) if other in self.services}

    def _dependents(self, name: str) -> list[str]:
        return [other for other in self.services if name in self._waits_for(other)]

    def _rank(self, name: str) -> int:
        """How many services in a row must stop after this one."""
        return max((1 + self._rank(other) for other in self._waits_for(name)), default=0)

    async def _keep(self, service: Supervised) -> None:
        row = self._rows[service.name]
        for other in row.depends:
            if other in self.services:
                await self.services[other].healthy.wait()
        for other in row.after:
            if other in self.services:
                await self.services[other].started.wait()
        limits = self._appliance.supervision
        delay = limits.backoff_first_s
        while not self._stopping:
            while service.drained:
                service.wake.clear()
                await service.wake.wait()
            service.wake.clear()
            began = time.monotonic()
            code, why = await self._run_once(service)
            if self._stopping:
                return
            if service.asked:
                service.asked = False
                delay = limits.backoff_first_s
                await service.wake.wait()
                continue
            if code == 2 and not service.healthy.is_set() and not self._waits_for(service.name):
                self._fail(service)
                return
            if time.monotonic() - began > _SETTLED_S:
                delay = limits.backoff_first_s
            pause = self._after_failure(service, why, delay)
            with suppress(TimeoutError):
                await asyncio.wait_for(service.wake.wait(), pause)
            delay = min(delay * 2, limits.backoff_limit_s)
            service.restarts += 1

    async def _run_once(self, service: Supervised) -> tuple[int, str]:
        """Start a service, and wait for its end; its code, and why it ended. What it leaves is
        cleaned up."""
        await self._spawn(service)
        assert service.process is not None
        code = await service.process.wait()
        await self._sweep()
        if service.output:
            await service.output.drained()
        why = await self.runtime.why_ended(service.name, code) or f"ended with code {code}"
        if service.unanswered >= self._appliance.supervision.hang_checks:
            why = f"hung: {service.unanswered} health checks in a row were not answered"
        await self.runtime.clean(service.name)
        return code, why

    def _after_failure(self, service: Supervised, why: str, delay: float) -> float:
        """Count a failure and tell of it; how long to wait before the next start."""
        limits = self._appliance.supervision
        now = time.monotonic()
        service.failures.append(now)
        while service.failures[0] < now - limits.crash_window_s and not service.looping:
            service.failures.popleft()
        if len(service.failures) < limits.crashes and not service.looping:
            service.health = health.ServiceHealth(status="fail", reason=why)
            log.warning("%s %s; starting it again in %g s", service.name, why, delay)
            return delay
        service.looping = True
        said = last_line(self.log_file(service.name))
        service.health = health.ServiceHealth(
            status="fail",
            reason=f"crash loop: {len(service.failures)} failures, the last one {why}"
            + (f" ({said})" if said else ""),
            hint=f"See {self.log_file(service.name)}; it is tried again every "
            f"{limits.crash_retry_s:g} s, or at once by: jimbot undrain {service.name}",
        )
        log.error(
            "%s is in a crash loop (%s); starting it again in %g s",
            service.name,
            why,
            limits.crash_retry_s,
        )
        self._changed()
        return limits.crash_retry_s

    async def _spawn(self, service: Supervised) -> None:
        await self.runtime.prepare(service.name)
        environment = os.environ | self._environment | {process.SUPERVISOR_PID: str(os.getpid())}
        environment |= self.runtime.environment(service.name)
        async with self._spawning:
            if service.output:
                service.output.close()
            service.output = output = logs.Pipe(self._logs[service.name])
            try:
                service.process = await asyncio.create_subprocess_exec(
                    *self.runtime.command(service.name),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output.write_end,
                    stderr=output.write_end,
                    env=environment,
                    cwd=self.runtime.directory,
                    start_new_session=True,  # the terminal's Ctrl-C is for the supervisor alone
                )
            finally:
                output.started()
        self.runtime.started(service.name, service.process.pid)
        service.spawned = time.monotonic()
        service.unanswered = 0
        service.spawns += 1
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
        if not self.runtime.sweeps:
            return []
        known = set(self._not_ours)
        trees = [
            service.process.pid
            for service in self.services.values()
            if service.process and service.process.returncode is None
        ]
        for pid in (*trees, *self.spared):
            known |= {member.pid for member in process.tree(pid)}
        return [p for p in psutil.Process().children(recursive=True) if p.pid not in known]

    def _fail(self, service: Supervised) -> None:
        """A service that says by exit code 2 that it cannot start ends the whole start. One that
        waits for others may only have waited too long for them."""
        message = last_line(self.log_file(service.name)) or "no reason given"
        if not self.failure.done():
            self.failure.set_exception(
                OperationError(f"{service.name} cannot start: {message.removeprefix('jimbot: ')}")
            )

    async def _end_by_command(self, service: Supervised) -> None:
        """End a service that shall not be started again by itself."""
        service.wake.clear()
        if not service.running:
            return
        service.asked = True
        if self._rows[service.name].drains:
            await self._finish_work(service)
        await self._end(service, self._appliance.supervision.stop_s)
        while service.asked:  # its keeper cleans up behind it
            await asyncio.sleep(0.02)

    async def _finish_work(self, service: Supervised) -> None:
        """SIGUSR1, and the table's time to end by itself; one that has only begun has no work."""
        if not service.running or not service.process or service.spawned is not None:
            return
        service.process.send_signal(signal.SIGUSR1)
        try:
            await asyncio.wait_for(service.process.wait(), self._appliance.deploy.drain_s)
        except TimeoutError:
            log.warning("%s did not finish its work in time", service.name)

    async def _end(self, service: Supervised, timeout_s: float) -> bool:
        """End a service's process; True when it had to be killed."""
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
        return killed

    async def _forget(self, service: Supervised) -> None:
        """Stop keeping a service that has ended."""
        if task := self._tasks.get(service.name):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.runtime.clean(service.name)

    async def _ask_health(self) -> None:
        """Ask each service, often until it is first healthy, then at the table's interval."""

        async def follow(service: Supervised) -> None:
            async with httpx.AsyncClient(trust_env=False) as client:
                while True:
                    row = self._rows[service.name]
                    if row.health is None:
                        return
                    if service.running and not service.asked:
                        await self._ask(service, row.health, client)
                    settled = service.healthy.is_set() and service.health.status == "ok"
                    await asyncio.sleep(row.health.interval_s if settled else 0.25)

        follows: list[Awaitable[None]] = [follow(service) for service in self.services.values()]
        await asyncio.gather(*follows)

    async def _ask(self, service: Supervised, how: HealthCheck, client: httpx.AsyncClient) -> None:
        asked_of = service.process
        answer = await health.ask(
            service.name, self._rows[service.name], client, self.runtime.address(service.name)
        )
        if service.process is not asked_of or not service.running or service.asked:
            return  # it ended meanwhile, which says more
        service.unanswered = service.unanswered + 1 if answer.unanswered else 0
        if answer.status in ("ok", "warn"):
            service.healthy.set()
            service.spawned = None
            service.looping = False
        elif service.starting(how.start_s):
            reason = f"starting: {answer.reason}"
            answer = health.ServiceHealth(status="unknown", reason=reason)
        elif service.unanswered >= self._appliance.supervision.hang_checks:
            log.warning("%s hangs: killing it", service.name)
            members = process.tree(service.process.pid) if service.process else []
            await asyncio.to_thread(process.kill, members)
        service.health = answer


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
