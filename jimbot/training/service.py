"""The trainer service: the driver on a thread, its health and metrics beside it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from dataclasses import asdict
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from jimbot.appliance import Appliance, Home
from jimbot.events.payloads import TrainingEvaluation, TrainingIteration
from jimbot.service import Health, http_app, serving, stop_event
from jimbot.training import drain
from jimbot.training.driver import Status, appliance_plan, train

_log = logging.getLogger(__name__)

# An iteration takes seconds; a minute without one is a stall.
STALLED_S: Final = 60.0
# Stages of a driver that does as it was told: nothing is amiss.
ENDING: Final = ("finishing the games", "stopping")
# How long the driver may take to end before the process ends without it.
STOP_S: Final = 6.0


async def run(appliance: Appliance, home: Home, profile_name: str) -> None:
    """Train until SIGTERM or SIGINT, then save a checkpoint and end.

    Raises:
        MissingExtra: Ray is not installed.
        TrainingError: training cannot start.
        PortTaken: the HTTP port is in use.
    """
    stopping = stop_event()
    status = Status()
    metrics = _Metrics()
    stop = threading.Event()
    ended = asyncio.get_running_loop().create_future()
    loop = asyncio.get_running_loop()

    def take_signals_back() -> None:
        # Ray's own handler ends the process 3 s after SIGTERM, whatever it does meanwhile.
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)

    def work() -> None:
        try:
            train(
                appliance,
                home,
                appliance_plan(appliance, home, profile_name),
                stop=stop,
                status=status,
                connected=lambda: loop.call_soon_threadsafe(take_signals_back),
                iterated=metrics.count,
                evaluated=metrics.evaluated,
            )
        except BaseException as error:
            loop.call_soon_threadsafe(ended.set_exception, error)
        else:
            loop.call_soon_threadsafe(ended.set_result, None)

    loop.add_signal_handler(signal.SIGUSR1, drain.begin, stop)
    app = http_app(
        "JimBot trainer", lambda: health(status), registry=metrics.registry, description=__doc__
    )
    port = appliance.service("trainer").ports["http"]
    async with serving(app, port):
        threading.Thread(target=work, name="training", daemon=True).start()
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait([waiting, ended], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        _log.info("stopping", extra={"fields": {"stage": status.stage}})
        stop.set()
        done, _ = await asyncio.wait([ended], timeout=STOP_S)
        if not done:
            # Stuck in Ray or in a full outbox; the last checkpoint holds.
            _log.error("training did not stop within %g s: ending without it", STOP_S)
            os._exit(1)
        ended.result()


def health(status: Status) -> Health:
    """How training is: failing until it trains, warning when it stalls."""
    progress = status.progress
    details = {"stage": status.stage, "iteration_s": round(status.iteration_s, 3)}
    if progress is not None:
        details |= asdict(progress)
    if status.resumed_from:
        details["resumed_from"] = status.resumed_from
    if status.checkpoint:
        details["checkpoint"] = status.checkpoint
    if status.device:
        details["device"] = status.device
    if status.paused:
        return Health(status="ok", reason=f"paused: {status.paused}", details=details)
    if status.stage in ENDING:
        return Health(status="ok", reason=status.stage, details=details)
    if status.stage != "training":
        return Health(status="fail", reason=f"starting: {status.stage}", details=details)
    age = time.monotonic() - status.last_iteration
    details["last_iteration_age_s"] = round(age, 1)
    if age > STALLED_S:
        return Health(
            status="warn",
            reason=f"no iteration for {age:.0f} s",
            hint="Is mcp up and Ray alive? See: jimbot health",
            details=details,
        )
    return Health(status="ok", details=details)


class _Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._iterations = self._counter("iterations", "Training iterations.")
        self._games = self._counter("games", "Games finished in training.")
        self._steps = self._gauge("steps", "Environment steps over the whole run.")
        self._speed = self._gauge("steps_per_second", "Environment steps a second, learning too.")
        self._return = self._gauge("return_mean", "Mean return of the last games.")
        self._loss = self._gauge("loss", "Total loss of the last iteration.")
        self._entropy = self._gauge("entropy", "Entropy of the policy.")
        self._ante = self._gauge("evaluation_ante", "Mean ante on the held-out seeds.")
        self._wins = self._gauge("evaluation_win_rate", "Share of held-out games won, 0 to 1.")

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"jimbot_trainer_{name}", text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"jimbot_trainer_{name}", text, registry=self.registry)

    def count(self, figures: TrainingIteration) -> None:
        self._iterations.inc()
        self._games.inc(figures.games)
        self._steps.set(figures.steps)
        for gauge, value in (
            (self._speed, figures.steps_per_s),
            (self._return, figures.return_mean),
            (self._loss, figures.loss),
            (self._entropy, figures.entropy),
        ):
            if value is not None:
                gauge.set(value)

    def evaluated(self, told: TrainingEvaluation) -> None:
        self._ante.set(told.mean_ante)
        self._wins.set(told.win_rate)
