"""What the appliance uses of its machine, measured now and then, for /metrics and the alerts."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from jimbot import usage
from jimbot.analytics.families import Family, Page
from jimbot.appliance import Appliance, Home
from jimbot.events import EventLog, LogError, LogMissing, now_ms, open_log

_log = logging.getLogger(__name__)

EVERY_S = 10.0
# Folders and backups change slowly, and are slower to look at.
_SLOW_EVERY_S = 60.0
# What was measured longer ago says nothing about now, so it is left out.
_FRESH_S = 45.0

FAMILIES = (
    Family("jimbot_service_memory_bytes", "Memory of a service's processes.", ("service",)),
    Family("jimbot_service_memory_limit_bytes", "What the table gives a service.", ("service",)),
    Family("jimbot_service_cpu_seconds_total", "Processor time since its start.", ("service",)),
    Family("jimbot_service_processes", "Processes of a service.", ("service",)),
    Family(
        "jimbot_service_restarts_total", "Times it was started again in this run.", ("service",)
    ),
    Family("jimbot_service_start_time_seconds", "Its start, since 1970.", ("service",)),
    Family("jimbot_service_gpu_memory_bytes", "GPU memory of its processes.", ("service",)),
    Family("jimbot_gpu_memory_bytes", "Memory of a GPU in use, by anybody.", ("gpu",)),
    Family("jimbot_gpu_memory_size_bytes", "Memory that a GPU has.", ("gpu",)),
    Family("jimbot_gpu_busy_ratio", "Share of the time in which a GPU computed.", ("gpu",)),
    Family("jimbot_gpu_temperature_celsius", "A GPU's temperature.", ("gpu",)),
    Family("jimbot_storage_bytes", "What a part of the home takes on the disk.", ("part",)),
    Family("jimbot_disk_used_bytes", "In use of the file system that holds the home."),
    Family("jimbot_disk_size_bytes", "Size of the file system that holds the home."),
    Family(
        "jimbot_backup_age_seconds",
        "Since the newest good backup; without any, since the first event.",
    ),
    Family("jimbot_backup_stale_after_seconds", "Age at which a backup is stale."),
    Family("jimbot_backup_snapshots", "Snapshots in the repository."),
)


class Machine(Collector):
    """Measures in `run`; `collect` gives what was found last, as long as it is fresh."""

    def __init__(self, appliance: Appliance, home: Home) -> None:
        self._appliance = appliance
        self._home = home
        self._quick: tuple[float, list[Metric]] = 0.0, []
        self._slow: tuple[float, list[Metric]] = 0.0, []
        self._log: EventLog | None = None
        self._log_lock = threading.Lock()

    async def run(self) -> None:
        """Measure again and again, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.measure)
            except Exception:
                _log.exception("the machine could not be measured")
            await asyncio.sleep(EVERY_S)

    def measure(self) -> None:
        now = time.monotonic()
        if not self._slow[1] or now - self._slow[0] > _SLOW_EVERY_S:
            self._slow = now, list(self._measure_slow())
        self._quick = now, list(self._measure_quick())

    def collect(self) -> Iterator[Metric]:
        now = time.monotonic()
        for (at, metrics), fresh_s in (
            (self._quick, _FRESH_S),
            (self._slow, _SLOW_EVERY_S + _FRESH_S),
        ):
            if now - at < fresh_s:
                yield from metrics

    def describe(self) -> Iterable[Metric]:
        return [family.empty() for family in FAMILIES]

    def log_up(self) -> bool | None:
        """Whether the event log can be read; None before there is one."""
        with self._log_lock:
            try:
                self._open_log().position()
            except LogMissing:
                return None
            except LogError:
                self._close_log()
                return False
            return True

    def close(self) -> None:
        with self._log_lock:
            self._close_log()

    def _measure_quick(self) -> Page:
        page = Page(FAMILIES)
        gpus = usage.gpus()
        for gpu in gpus or ():
            page.set("jimbot_gpu_memory_bytes", gpu.memory_used, gpu.number)
            page.set("jimbot_gpu_memory_size_bytes", gpu.memory_size, gpu.number)
            page.set("jimbot_gpu_busy_ratio", gpu.busy, gpu.number)
            page.set("jimbot_gpu_temperature_celsius", gpu.temperature, gpu.number)
        services = usage.of_services(self._home, usage.gpu_processes() if gpus else None)
        names, profile = [one.service for one in services], usage.profile(self._home)
        for one in services:
            limit = usage.limit_bytes(self._appliance, one.service, names, profile)
            page.set("jimbot_service_memory_bytes", one.memory, one.service)
            page.set("jimbot_service_memory_limit_bytes", limit, one.service)
            page.set("jimbot_service_cpu_seconds_total", one.cpu_s, one.service)
            page.set("jimbot_service_processes", one.processes, one.service)
            page.set("jimbot_service_restarts_total", one.restarts, one.service)
            page.set("jimbot_service_start_time_seconds", one.started, one.service)
            page.set("jimbot_service_gpu_memory_bytes", one.gpu_memory, one.service)
        return page

    def _measure_slow(self) -> Page:
        page = Page(FAMILIES)
        for store, size_bytes in usage.storage(self._home).items():
            page.set("jimbot_storage_bytes", size_bytes, store)
        used, size = usage.disk(self._home)
        page.set("jimbot_disk_used_bytes", used)
        page.set("jimbot_disk_size_bytes", size)
        self._measure_backup(page)
        return page

    def _measure_backup(self, page: Page) -> None:
        # Late: a service that reads what operations has written down.
        from jimbot.operations import backup

        status = backup.status(self._home, self._appliance)
        age = status.age_s
        if age is None and (first := self._first_event_at()) is not None:
            age = max(now_ms() - first, 0) / 1000
        page.set("jimbot_backup_age_seconds", age)
        stale_after = self._appliance.backup.stale_after_hours * 3600
        page.set("jimbot_backup_stale_after_seconds", stale_after)
        page.set("jimbot_backup_snapshots", status.snapshots)

    def _first_event_at(self) -> int | None:
        with self._log_lock:
            try:
                first = self._open_log().read(limit=1)
            except LogError:
                self._close_log()
                return None
            return first[0].event.timestamp if first else None

    def _open_log(self) -> EventLog:
        if self._log is None:
            self._log = open_log(self._home, read_only=True)
        return self._log

    def _close_log(self) -> None:
        log, self._log = self._log, None
        if log is not None:
            log.close()
