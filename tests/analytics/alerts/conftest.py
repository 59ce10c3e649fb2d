"""A watch over figures that the test gives, in a time that the test makes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from jimbot.analytics.alerts.deliver import Channel, NotDelivered, Notice
from jimbot.analytics.alerts.samples import Sample, parse
from jimbot.analytics.alerts.watch import Watch
from jimbot.appliance import Home, load


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Ear:
    """A channel that remembers what it was told; while `deaf` it takes nothing."""

    def __init__(self, name: str = "ear") -> None:
        self.name = name
        self.heard: list[tuple[str, str]] = []
        self.notices: list[Notice] = []
        self.messages = 0
        self.deaf = False

    def send(self, notices: Sequence[Notice]) -> None:
        if self.deaf:
            raise NotDelivered("deaf")
        self.messages += 1
        self.notices += notices
        self.heard += [(one.name, one.state) for one in notices]


class World:
    """Figures by series, a clock, an ear, and a watch on them that can be restarted."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.clock = Clock()
        self.ear = Ear()
        self.figures: dict[str, float] = {}
        self.watch = self.start()

    def start(self) -> Watch:
        async def gather() -> list[Sample]:
            return list(parse("".join(f"{key} {it}\n" for key, it in self.figures.items())))

        channels: Callable[[], list[Channel]] = lambda: [self.ear]  # noqa: E731
        self.watch = Watch(load(), self.home, gather, channels=channels, clock=self.clock)
        return self.watch

    def look(self, after_s: float = 15, **figures: float) -> None:
        """Let time go by, set figures, look."""
        self.clock.now += after_s
        self.figures |= figures
        asyncio.run(self.watch.look())

    def states(self) -> dict[str, str]:
        return {one.name: one.state for one in self.watch.answer().alerts}


@pytest.fixture
def world(home: Home) -> World:
    return World(home)


@pytest.fixture
def watch(world: World) -> Callable[[str], Watch]:
    """A watch that has looked at these figures for 20 minutes."""

    def make(text: str) -> Watch:
        world.figures = {}
        for line in text.splitlines():
            series, value = line.rsplit(" ", 1)
            world.figures[series] = float(value)
        for _ in range(3):
            world.look(600)
        return world.watch

    return make
