"""Nobody is read faster than the pace."""

from __future__ import annotations

from jimbot.security.pace import Pace


def test_a_burst_is_free_and_what_follows_waits() -> None:
    now = [100.0]
    pace = Pace(10, 3, clock=lambda: now[0])
    assert [pace.take() for _ in range(3)] == [0, 0, 0]
    assert [round(pace.take(), 6) for _ in range(3)] == [0.1, 0.2, 0.3]
    now[0] += 0.3
    assert round(pace.take(), 6) == 0.1
    now[0] += 60
    assert [pace.take() for _ in range(3)] == [0, 0, 0], "no more than the burst is saved up"
    assert pace.take() > 0


def test_over_time_the_rate_holds() -> None:
    now = [0.0]
    pace = Pace(50, 5, clock=lambda: now[0])
    for _ in range(1000):
        now[0] += pace.take()
    assert 19 <= now[0] <= 21
