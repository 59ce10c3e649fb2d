"""`jimbot up`: start everything, watch it, stop everything, and tell what happened."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import httpx
import psutil
from pydantic import BaseModel, Field

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.events import EventLog, LogError, LogMissing, open_log
from jimbot.events.payloads import GAME_FINISHED, TRAINING_ITERATION
from jimbot.mcp.journal import Auditor
from jimbot.operations import control, deploy, generations, preflight, reload, state
from jimbot.operations.commands import Commands
from jimbot.operations.containers import Containers
from jimbot.operations.errors import MachineTooSmall
from jimbot.operations.generations import Generation
from jimbot.operations.machine import choose_profile
from jimbot.operations.native import Native
from jimbot.operations.runtime import Runtime
from jimbot.operations.shares import RuntimeName
from jimbot.operations.supervisor import Supervisor
from jimbot.operations.upkeep import Upkeep
from jimbot.security import tokens
from jimbot.service import stop_event

log = logging.getLogger(__name__)

# Of the time that the table gives a stop, what is kept for the last audit and for strays.
_STOP_RESERVE_S = 1.5
# Between two tellings of what containers use.
_PUBLISH_EVERY_S = 5.0


class Wish(NamedTuple):
    """What the owner asked of this run; None means without end.

    `engine` runs the containers, where `runtime` asks for them; `reload` names each service's
    module, so that it is started again when its code changes.
    """

    seconds: float | None = None
    games: int | None = None
    train: bool = True
    profile: str = "auto"
    runtime: RuntimeName = "native"
    engine: str = "podman"
    reload: Mapping[str, str] | None = None


class Summary(BaseModel):
    """What a run did. Counts are of this run alone, `peak_rss_mb` is MiB by service."""

    home: str
    profile: str
    seconds: float = 0.0
    healthy_after_s: float | None = None
    games_finished: int = 0
    games_per_hour: float | None = None
    mean_ante: float | None = None
    win_rate: float | None = None
    loss: float | None = None
    training_iterations: int = 0
    events_acknowledged: int = 0
    events_stored: int = 0
    events_lost: int = 0
    restarts: dict[str, int] = Field(default_factory=dict)
    killed: list[str] = Field(default_factory=list)
    not_enforced: list[str] = Field(default_factory=list)
    peak_rss_mb: dict[str, float] = Field(default_factory=dict)


class Progress(NamedTuple):
    """What a view draws, a few times a second."""

    summary: Summary
    supervisor: Supervisor
    dashboard: str
    stopping: bool


async def up(
    appliance: Appliance, home: Home, wish: Wish, view: Callable[[Progress], None]
) -> Summary:
    """Run the appliance until the wish is fulfilled or SIGINT or SIGTERM comes.

    Raises:
        JimbotError: it could not start; nothing is left running and nothing was overwritten.
    """
    home.prepare()
    with state.lock(home):
        with generations.lock(home):
            deploy.recover(home, log.warning)
            generation = generations.current(home)
        if generation is not None and not wish.reload:
            appliance = generations.table_of(home, generation.number)
        else:
            generation = None
        services = preflight.plan(appliance, train=wish.train, runtime=wish.runtime)
        profile = _profile(appliance, wish)
        if wish.runtime == "native":
            preflight.check_packages(appliance, services)
        preflight.check_disk(appliance, home)
        preflight.stop_leftovers(home)
        scale = appliance.profiles[profile].memory_scale
        runtime: Runtime
        if wish.runtime == "native":
            preflight.check_ports(appliance, services)
            runtime = Native(appliance, home, services, scale=scale)
        else:
            preflight.check_ports(appliance, services, only=appliance.containers.publish)
            runtime = Containers(appliance, home, services, engine=wish.engine, scale=scale)
            await runtime.begin()
        run = _Run(appliance, home, wish, view, services, profile, runtime, generation)
        return await run.until_done()


def _profile(appliance: Appliance, wish: Wish) -> str:
    try:
        return choose_profile(appliance, wish.profile)
    except MachineTooSmall:
        if wish.train or wish.profile != "auto":
            raise
        return list(appliance.profiles)[-1]  # nothing that a profile sizes will start


class _Counts(NamedTuple):
    stored: int = 0
    games: int = 0
    iterations: int = 0
    acknowledged: int = 0
    lost: int = 0


class _Run:
    def __init__(
        self,
        appliance: Appliance,
        home: Home,
        wish: Wish,
        view: Callable[[Progress], None],
        services: list[str],
        profile: str,
        runtime: Runtime,
        generation: Generation | None,
    ) -> None:
        self.appliance = appliance
        self.home = home
        self.wish = wish
        self.view = view
        self.began = time.monotonic()
        self.generation = generation.number if generation else None
        self.summary = Summary(
            home=str(home.path), profile=profile, not_enforced=list(runtime.warnings)
        )
        environment = {"JIMBOT_HOME": str(home.path), "JIMBOT_PROFILE": profile}
        if self.generation is not None:
            for name in services:
                runtime.use(name, generations.release(home, self.generation))
        self.supervisor = Supervisor(
            appliance,
            home,
            services,
            environment=environment,
            changed=self.write_state,
            runtime=runtime,
            generation=self.generation,
        )
        self.upkeep = Upkeep(appliance, home)
        self.supervisor.spared = self.upkeep.running
        self.commands = Commands(self)
        self.reloading: asyncio.Task[None] | None = None
        self.log: EventLog | None = None
        self.auditor: Auditor | None = None
        self.before: _Counts | None = self._counts()
        self.stopping = False
        self.published = float("-inf")

    async def until_done(self) -> Summary:
        stop = stop_event()
        self.supervisor.start()
        healthy = asyncio.create_task(self._become_healthy())
        keeping = asyncio.create_task(self.upkeep.keep())
        for warning in self.supervisor.runtime.warnings:
            log.warning("%s", warning)
        if self.wish.reload:
            self.reloading = asyncio.create_task(reload.watch(self.supervisor, self.wish.reload))
        try:
            async with (
                httpx.AsyncClient(trust_env=False, timeout=1.0) as client,
                control.serving(self.home, self.commands.handlers),
            ):
                while not (stop.is_set() or self._fulfilled()):
                    if self.supervisor.failure.done():
                        self.supervisor.failure.result()
                    await self._look(client)
                    try:
                        await asyncio.wait_for(stop.wait(), self._pause())
                    except TimeoutError:
                        continue
        finally:
            self.stopping = True
            self._show()
            healthy.cancel()
            keeping.cancel()
            if self.reloading:
                self.reloading.cancel()
            await asyncio.gather(healthy, keeping, return_exceptions=True)
            limit = self.appliance.supervision.stop_s - _STOP_RESERVE_S
            self.summary.killed = await self.supervisor.stop(limit)
        await asyncio.to_thread(self._count)
        self.summary.seconds = round(time.monotonic() - self.began, 1)
        if self.log:
            self.log.close()
        return self.summary

    def _pause(self) -> float:
        if self.wish.seconds is None:
            return 1.0
        return max(min(1.0, self.wish.seconds - (time.monotonic() - self.began)), 0.0)

    def _fulfilled(self) -> bool:
        long_enough = (
            self.wish.seconds is not None and time.monotonic() - self.began >= self.wish.seconds
        )
        enough = self.wish.games is not None and self.summary.games_finished >= self.wish.games
        return long_enough or enough

    async def _become_healthy(self) -> None:
        await self.supervisor.wait_healthy()
        self.summary.healthy_after_s = round(time.monotonic() - self.began, 1)

    async def _look(self, client: httpx.AsyncClient) -> None:
        await asyncio.to_thread(self.supervisor.measure)
        if self.wish.runtime != "native" and time.monotonic() - self.published > _PUBLISH_EVERY_S:
            self.published = time.monotonic()
            await asyncio.to_thread(self._publish)
        await asyncio.to_thread(self._count)
        await self._ask_analytics(client)
        self._show()

    def _publish(self) -> None:
        try:
            usage.publish(self.home, self.supervisor.usages())
        except OSError as error:
            log.warning("what containers use is not told: %s", error)

    def _show(self) -> None:
        dashboard = self.appliance.url("analytics")
        self.view(Progress(self.summary, self.supervisor, dashboard, self.stopping))

    async def _ask_analytics(self, client: httpx.AsyncClient) -> None:
        try:
            response = await client.get(
                self.appliance.url("analytics") + "/api/v1/summary",
                headers=tokens.headers(self.home),
            )
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError):
            return  # its health says so; the figures of before stay
        for name in ("games_per_hour", "mean_ante", "win_rate", "loss"):
            if answer.get(name) is not None:
                setattr(self.summary, name, answer[name])

    def _count(self) -> None:
        """Bring the summary's counts up to date."""
        if (now := self._counts()) is None:
            return
        self.before = self.before or now
        self.summary.events_stored = now.stored - self.before.stored
        self.summary.games_finished = now.games - self.before.games
        self.summary.training_iterations = now.iterations - self.before.iterations
        self.summary.events_acknowledged = now.acknowledged - self.before.acknowledged
        self.summary.events_lost = now.lost - self.before.lost
        for name, service in self.supervisor.services.items():
            self.summary.peak_rss_mb[name] = round(service.peak_rss_mb, 1)
            self.summary.restarts[name] = service.restarts

    def _counts(self) -> _Counts | None:
        """What the log holds, and what the journals of acknowledged ids say that it must hold.

        None while it cannot be read: an older log that mcp still has to bring up to date, or one
        that is damaged, which mcp says itself.
        """
        if self.log is None or self.auditor is None:
            try:
                self.log = open_log(self.home, read_only=True)
            except LogMissing:
                return _Counts()
            except LogError:
                return None
            self.auditor = Auditor(self.home.acknowledged, self.log)
        audit = self.auditor.audit()
        return _Counts(
            self.log.count(),
            self.log.count([GAME_FINISHED]),
            self.log.count([TRAINING_ITERATION]),
            audit.acknowledged,
            len(audit.lost),
        )

    def write_state(self) -> None:
        me = psutil.Process()
        services: dict[str, state.RunningService | None] = {}
        for name, service in self.supervisor.services.items():
            services[name] = None
            if service.process:
                try:
                    created = psutil.Process(service.process.pid).create_time()
                except psutil.NoSuchProcess:
                    continue
                services[name] = state.RunningService(
                    pid=service.process.pid,
                    started=created,
                    restarts=service.restarts,
                    address=self.supervisor.runtime.address(name),
                )
        state.write(
            self.home,
            state.Running(
                pid=me.pid,
                started=me.create_time(),
                profile=self.summary.profile,
                runtime=self.wish.runtime,
                generation=self.generation,
                services=services,
                drained=[name for name, it in self.supervisor.services.items() if it.drained],
            ),
        )
