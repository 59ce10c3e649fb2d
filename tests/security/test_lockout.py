from __future__ import annotations

import pytest

from jimbot.security import lockout as lockout_module
from jimbot.security.entrance import OWNER, Entrance, Refusal
from jimbot.security.lockout import Lockout
from jimbot.security.tokens import Grant
from tests.security.guarded import Guarded


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lockout(clock: Clock) -> Lockout:
    return Lockout(3, 1.0, 60.0, clock)


def test_each_failure_more_doubles_the_wait(lockout: Lockout, clock: Clock) -> None:
    waits = [lockout.failed("10.0.0.1") for _ in range(12)]
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    clock.now += 59
    assert lockout.wait_s("10.0.0.1") == pytest.approx(1)
    clock.now += 2
    assert lockout.wait_s("10.0.0.1") == 0
    assert lockout.failed("10.0.0.1") == 60


def test_another_address_does_not_wait(lockout: Lockout) -> None:
    for _ in range(5):
        lockout.failed("10.0.0.1")
    assert lockout.wait_s("10.0.0.2") == 0


def test_success_is_forgiveness_and_so_is_time(lockout: Lockout, clock: Clock) -> None:
    for address in ("10.0.0.1", "10.0.0.2"):
        for _ in range(5):
            lockout.failed(address)
    lockout.succeeded("10.0.0.1")
    assert lockout.failed("10.0.0.1") == 0
    clock.now += 3601
    assert lockout.failed("10.0.0.2") == 0


def test_a_network_of_ipv6_counts_as_one_and_ipv4_inside_as_itself(lockout: Lockout) -> None:
    for host in range(5):
        lockout.failed(f"2001:db8::{host:x}")
        lockout.failed("::ffff:10.0.0.9")
    assert lockout.wait_s("2001:db8::ffff") > 0
    assert lockout.wait_s("2001:db8:1::1") == 0
    assert lockout.wait_s("10.0.0.9") > 0


def test_a_million_addresses_take_bounded_memory(lockout: Lockout) -> None:
    for number in range(20_000):
        lockout.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(lockout._known) == lockout_module._ADDRESSES


def test_from_elsewhere_even_the_right_token_waits_after_wrong_ones(
    guarded: Guarded, clock: Clock
) -> None:
    entrance = Entrance(guarded.entrance.tokens, Lockout(3, 1.0, 60.0, clock))
    right = guarded.tokens["player"]
    for _ in range(3):
        assert isinstance(entrance.enter("wrong", "192.0.2.1"), Refusal)
    found = entrance.enter(right, "192.0.2.1")
    assert isinstance(found, Refusal)
    assert (found.status, found.retry_after_s) == (429, 1.0)
    assert isinstance(entrance.enter(right, "127.0.0.1"), Grant)
    clock.now += 2
    assert isinstance(entrance.enter(right, "192.0.2.1"), Grant)


def test_who_shows_nothing_is_refused_but_does_not_wait(guarded: Guarded) -> None:
    for _ in range(20):
        found = guarded.entrance.enter(None, "192.0.2.1")
        assert isinstance(found, Refusal)
        assert found.status == 401


def test_a_scope_that_is_not_granted_is_403(guarded: Guarded) -> None:
    found = guarded.entrance.enter(guarded.tokens["operator"], "127.0.0.1", "keys:write")
    assert isinstance(found, Refusal)
    assert found.status == 403
    assert isinstance(guarded.entrance.enter(guarded.tokens["admin"], "::1", "keys:write"), Grant)


def test_nobody_is_the_owner_once_there_are_tokens(guarded: Guarded) -> None:
    assert guarded.entrance.enter(None, "127.0.0.1") is not OWNER
