"""Budgets of tokens and money by hour, day and month of the UTC clock, with a hard stop.

A request reserves the most it can cost before it is sent and settles what it did cost after; what
is spent and reserved together never passes a limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from jimbot.appliance.claude import Budget, Budgets
from jimbot.claude.errors import BudgetSpent

Window = Literal["hour", "day", "month"]
WINDOWS: tuple[Window, ...] = ("hour", "day", "month")


class Amount(NamedTuple):
    dollars: float = 0.0
    tokens: int = 0


class Reservation:
    """The most that one request can cost, held until it is settled."""

    def __init__(self, amount: Amount) -> None:
        self.amount = amount


def window_start(window: Window, now: float) -> float:
    """When the window that `now` lies in began, in seconds since 1970."""
    moment = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    if window != "hour":
        moment = moment.replace(hour=0)
    if window == "month":
        moment = moment.replace(day=1)
    return moment.timestamp()


def window_end(window: Window, now: float) -> float:
    """When the window that `now` lies in ends."""
    start = window_start(window, now)
    if window == "month":
        # The 1st plus 31 days lies in the next month, whichever month it is.
        return window_start("month", start + 31 * 86_400)
    return start + {"hour": 3600, "day": 86_400}[window]


class BudgetKeeper:
    """What is spent and reserved in each window.

    Args:
        spent_since: what the ledger holds from a time on; asked once a window.
    """

    def __init__(
        self,
        budgets: Budgets,
        spent_since: Callable[[float], Amount],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._budgets = budgets
        self._clock = clock
        self._reserved: set[Reservation] = set()
        now = clock()
        self._starts = {window: window_start(window, now) for window in WINDOWS}
        self._spent = {window: spent_since(self._starts[window]) for window in WINDOWS}

    def reserve(self, amount: Amount) -> Reservation:
        """Hold `amount` until it is settled.

        Raises:
            BudgetSpent: a window has no room for it; names the window.
        """
        self._turn()
        held = self.reserved
        for window in WINDOWS:
            limit, spent = self.limit(window), self._spent[window]
            if (
                spent.dollars + held.dollars + amount.dollars > limit.dollars
                or spent.tokens + held.tokens + amount.tokens > limit.tokens
            ):
                raise BudgetSpent(
                    f"the budget of this {window} has no room for ${amount.dollars:.4f} and "
                    f"{amount.tokens} tokens: ${spent.dollars:.4f} of ${limit.dollars:.2f} and "
                    f"{spent.tokens} of {limit.tokens} tokens are spent",
                    hint=f"It opens again with the next {window}; or raise [claude.budgets]",
                )
        reservation = Reservation(amount)
        self._reserved.add(reservation)
        return reservation

    def settle(self, reservation: Reservation, actual: Amount) -> None:
        """Turn a reservation into what it did cost; nothing, for a request that failed unbilled."""
        if reservation not in self._reserved:
            return
        self._reserved.remove(reservation)
        self._turn()
        for window in WINDOWS:
            spent = self._spent[window]
            self._spent[window] = Amount(
                spent.dollars + actual.dollars, spent.tokens + actual.tokens
            )

    @property
    def reserved(self) -> Amount:
        return Amount(
            sum(each.amount.dollars for each in self._reserved),
            sum(each.amount.tokens for each in self._reserved),
        )

    def spent(self, window: Window) -> Amount:
        self._turn()
        return self._spent[window]

    def limit(self, window: Window) -> Budget:
        budget: Budget = getattr(self._budgets, window)
        return budget

    def used(self, window: Window) -> tuple[float, float]:
        """Used of a window's dollars and tokens, reservations included; 1 where nothing is
        allowed."""
        spent, held, limit = self.spent(window), self.reserved, self.limit(window)
        return (
            (spent.dollars + held.dollars) / limit.dollars if limit.dollars else 1.0,
            (spent.tokens + held.tokens) / limit.tokens if limit.tokens else 1.0,
        )

    def warnings(self) -> list[str]:
        """A line a window that is past its warning."""
        lines = []
        for window in WINDOWS:
            dollars, tokens = self.used(window)
            if max(dollars, tokens) >= self._budgets.warn_at:
                what = "money" if dollars >= tokens else "tokens"
                lines.append(f"{max(dollars, tokens):.0%} of this {window}'s {what} is used")
        return lines

    def left_until_end(self, window: Window) -> tuple[float, float]:
        """Dollars left in a window and the seconds that it still runs."""
        now = self._clock()
        spent = self.spent(window).dollars + self.reserved.dollars
        left = max(self.limit(window).dollars - spent, 0.0)
        return left, max(window_end(window, now) - now, 1.0)

    def _turn(self) -> None:
        now = self._clock()
        for window in WINDOWS:
            start = window_start(window, now)
            if start > self._starts[window]:  # a clock set back never empties a window
                self._starts[window], self._spent[window] = start, Amount()
