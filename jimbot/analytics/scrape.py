"""Reading the services' own metrics, as Prometheus would."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import httpx
from prometheus_client import CollectorRegistry, generate_latest

from jimbot.analytics.alerts.samples import Sample, parse, sample
from jimbot.analytics.models import Services
from jimbot.appliance import Appliance

_log = logging.getLogger(__name__)

_TIMEOUT_S = 2.0


class Scraper:
    """Reads `/metrics` of every service of ours that is expected, and this service's registry.

    Args:
        services: which services are expected, as they were found last.
    """

    def __init__(
        self,
        appliance: Appliance,
        me: str,
        registry: CollectorRegistry,
        services: Callable[[], Services | None],
    ) -> None:
        self._appliance = appliance
        self._me = me
        self._registry = registry
        self._services = services
        self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S)
        self._away: set[str] = set()

    async def close(self) -> None:
        await self._client.aclose()

    async def samples(self) -> list[Sample]:
        """Every figure that could be had now; those of a service that does not answer are not
        among them."""
        mine, *others = await asyncio.gather(
            asyncio.to_thread(self._mine), *(self._ask(name) for name in self._expected())
        )
        return [one for each in (mine, *others) for one in each]

    def _expected(self) -> list[str]:
        found = self._services()
        return [
            service.name
            for service in (found.services if found else ())
            if service.expected and service.name != self._me and self._has_metrics(service.name)
        ]

    def _has_metrics(self, name: str) -> bool:
        row = self._appliance.service(name)
        return bool(row.command) and "http" in row.ports

    def _mine(self) -> list[Sample]:
        return [_up(self._me, 1), *parse(generate_latest(self._registry).decode())]

    async def _ask(self, name: str) -> list[Sample]:
        try:
            answer = await self._client.get(f"{self._appliance.url(name)}/metrics")
            answer.raise_for_status()
            found = list(parse(answer.text))
        except (httpx.HTTPError, ValueError) as error:
            if name not in self._away:
                self._away.add(name)
                _log.warning("no metrics of %s: %s", name, error or type(error).__name__)
            return [_up(name, 0)]
        self._away.discard(name)
        return [_up(name, 1), *found]


def _up(service: str, up: float) -> Sample:
    """As Prometheus adds it to what it scrapes (`jimbot.appliance.render.prometheus`)."""
    return sample("up", up, {"job": f"jimbot-{service}"})
