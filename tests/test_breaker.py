"""When the breaker refuses, and when it lets one try."""

from __future__ import annotations

import pytest

from jimbot.breaker import Breaker


class Away(Exception):
    pass


class Refused(Exception):
    pass


def test_it_opens_after_failures_in_a_row_and_closes_with_a_success() -> None:
    now = [0.0]
    breaker = Breaker(2, 10, refuse=lambda left: Refused(), failed=(Away,), clock=lambda: now[0])

    def call(error: Exception | None = None) -> None:
        with breaker.calling():
            if error:
                raise error

    with pytest.raises(Away):
        call(Away())
    call()  # not in a row
    for _ in range(2):
        with pytest.raises(Away):
            call(Away())
    for _ in range(3):
        with pytest.raises(Refused):
            call()
    now[0] = 10
    with pytest.raises(Away):
        call(Away())  # the one that may try
    with pytest.raises(Refused):
        call()
    now[0] = 20
    call()
    call()
    for _ in range(5):
        with pytest.raises(ValueError, match="an answer"):
            call(ValueError("an answer"))
    call()
    for _ in range(2):
        with pytest.raises(Away):
            call(Away())
    now[0] = 40
    with pytest.raises(ValueError, match="an answer"):
        call(ValueError("an answer"))  # even a refusal shows that it is back
    call()


def test_while_one_tries_the_others_are_refused() -> None:
    now = [0.0]
    breaker = Breaker(1, 10, refuse=lambda left: Refused(), failed=(Away,), clock=lambda: now[0])
    with pytest.raises(Away), breaker.calling():
        raise Away
    now[0] = 11
    with breaker.calling(), pytest.raises(Refused), breaker.calling():
        pass
    with breaker.calling():
        pass
