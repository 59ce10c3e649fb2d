"""Telling once, again, and that it is over; silences; restarts."""

from __future__ import annotations

import asyncio

import pytest

from jimbot.analytics.alerts import silences
from jimbot.analytics.alerts.silences import SilenceError
from jimbot.appliance import Home
from tests.analytics.alerts.conftest import World

SICK = {'jimbot_service_healthy{service="claude"}': 0.0}
WELL = {'jimbot_service_healthy{service="claude"}': 1.0}


def _fire(world: World) -> None:
    world.look(**SICK)
    world.look(60)


def test_before_the_first_look_nothing_is_well(world: World) -> None:
    answer = world.watch.answer()
    assert (answer.status, answer.checked_at) == ("unchecked", None)
    assert {rule.state for rule in answer.rules} == {"unchecked"}


def test_when_nobody_has_looked_for_long_nothing_is_well(world: World) -> None:
    world.look(**WELL)
    assert world.watch.answer().status == "ok"
    world.clock.now += 8 * 15 + 1
    assert world.watch.answer().status == "unchecked"


def test_it_is_told_once_then_again_after_hours_then_that_it_is_over(world: World) -> None:
    _fire(world)
    for _ in range(10):
        world.look()
    assert world.ear.heard == [("ServiceUnhealthy", "firing")]
    assert world.watch.answer().status == "fail"
    world.look(12 * 3600)
    assert world.ear.heard == [("ServiceUnhealthy", "firing")] * 2
    world.look(**WELL)
    world.look()
    assert world.ear.heard[2:] == [("ServiceUnhealthy", "resolved")]
    assert world.states() == {"ServiceUnhealthy": "resolved"}
    answer = world.watch.answer()
    assert answer.status == "ok"
    assert next(it.state for it in answer.rules if it.name == "ServiceUnhealthy") == "ok"


def test_what_is_pending_is_shown_and_not_told(world: World) -> None:
    world.look(**SICK)
    assert world.states() == {"ServiceUnhealthy": "pending"}
    assert (world.watch.answer().status, world.ear.heard) == ("ok", [])
    world.look(**WELL)
    assert world.states() == {}


def test_what_changes_together_is_one_message(world: World) -> None:
    world.look(
        **SICK, **{'jimbot_store_up{store="events"}': 0, 'jimbot_store_up{store="knowledge"}': 0}
    )
    world.look(60)
    assert len(world.ear.heard) == 3
    assert world.ear.messages == 1


def test_a_channel_that_fails_is_tried_again_and_others_are_not_told_twice(world: World) -> None:
    from tests.analytics.alerts.conftest import Ear

    other = Ear("other")
    world.watch._channels = lambda: [world.ear, other]
    world.ear.deaf = True
    _fire(world)
    world.look()
    assert (world.ear.heard, other.heard) == ([], [("ServiceUnhealthy", "firing")])
    world.ear.deaf = False
    world.look()
    assert world.ear.heard == other.heard == [("ServiceUnhealthy", "firing")]


def test_what_nobody_heard_of_is_not_told_to_be_over(world: World) -> None:
    world.ear.deaf = True
    _fire(world)
    world.ear.deaf = False
    world.watch._channels = list  # nobody to tell
    world.look(**WELL)
    world.watch._channels = lambda: [world.ear]
    world.look()
    assert world.ear.heard == []


def test_a_silence_mutes_until_it_ends(world: World, home: Home) -> None:
    silences.add(home, "ServiceUnhealthy", {"service": "claude"}, 600, now=world.clock.now)
    _fire(world)
    assert world.states() == {"ServiceUnhealthy": "silenced"}
    assert world.watch.answer().alerts[0].silenced_until == (1000 * (1_800_000_000 + 600))
    assert world.watch.answer().status == "ok"
    assert world.ear.heard == []
    world.look(600)
    assert world.states() == {"ServiceUnhealthy": "firing"}
    assert world.ear.heard == [("ServiceUnhealthy", "firing")]


def test_a_silence_mutes_only_what_it_names(world: World, home: Home) -> None:
    now = world.clock.now
    silences.add(home, "ServiceUnhealthy", {"service": "mcp"}, 3600, now=now)
    silences.add(home, "MemoryHigh", {}, 3600, now=now)
    _fire(world)
    assert world.states() == {"ServiceUnhealthy": "firing"}
    everything = silences.add(home, "", {}, 3600, "maintenance", now=now)
    world.look()
    assert world.states() == {"ServiceUnhealthy": "silenced"}
    assert silences.remove(home, everything.id, now=now).reason == "maintenance"
    world.look()
    assert world.states() == {"ServiceUnhealthy": "firing"}
    with pytest.raises(SilenceError, match="no silence 'nope'"):
        silences.remove(home, "nope", now=now)


def test_damaged_silences_mute_nothing_and_are_not_overwritten(world: World, home: Home) -> None:
    path = home.path / "alerts" / "silences.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('[{"id": ')
    _fire(world)
    assert world.states() == {"ServiceUnhealthy": "firing"}
    with pytest.raises(SilenceError, match="cannot read"):
        silences.add(home, "", {}, 60)
    assert path.read_text() == '[{"id": '


def test_a_restart_forgets_nothing(world: World) -> None:
    _fire(world)
    world.start()
    assert world.states() == {"ServiceUnhealthy": "firing"}
    world.look()
    assert world.ear.heard == [("ServiceUnhealthy", "firing")]  # by the one before, once
    world.start()
    world.look(**WELL)
    assert world.ear.heard[1:] == [("ServiceUnhealthy", "resolved")]


def test_a_restart_in_the_middle_of_pending_goes_on_counting(world: World) -> None:
    world.look(**SICK)
    world.look(45)
    world.start()
    world.look(15)
    assert world.states() == {"ServiceUnhealthy": "firing"}


def test_after_a_long_break_pending_begins_anew(world: World) -> None:
    world.look(**SICK)
    world.clock.now += 2 * 3600
    world.start()
    world.look()
    assert world.states() == {"ServiceUnhealthy": "pending"}


@pytest.mark.parametrize("damage", ["", "{", '{"at": 1}', "\0" * 100])
def test_a_damaged_memory_is_begun_anew(world: World, home: Home, damage: str) -> None:
    _fire(world)
    (home.path / "alerts" / "state.json").write_text(damage)
    world.start()
    world.look(60)
    world.look(60)
    assert world.states() == {"ServiceUnhealthy": "firing"}


def test_a_look_that_fails_does_not_end_the_watch(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> list[object]:
        raise RuntimeError("no figures today")

    async def main() -> None:
        world.watch._gather = broken  # type: ignore[assignment]
        task = asyncio.create_task(world.watch.run())
        await asyncio.sleep(0.05)
        assert not task.done()
        task.cancel()

    asyncio.run(main())
    assert "alerts could not be looked at" in caplog.text
