"""What a policy sees: the legal actions of the moment as rows, and the state around them.

Only what a player sees goes in: a face-down card is a back, the draw pile is counts. The cards
drawn face down count as undrawn, as a player must count them. `rows` works the numbers out.
"""

from __future__ import annotations

from functools import cache
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from jimbot.game import Action, Run
from jimbot.policy import layout as at
from jimbot.policy.candidates import Discard, Play
from jimbot.policy.rows import HIGH, LOW, Rows

__all__ = ["HIGH", "LOW", "Arrays", "Observer"]

# Numbers pass from lists into arrays through `struct`, three times as fast as through numpy.
_STATE = Struct(f"={at.STATE_SIZE}f")
_ITEMS = Struct(f"={at.ROWS + at.OWNED}h")


@cache
def _packers(count: int) -> tuple[Struct, Struct]:
    """For so many cells, what packs their places and their values."""
    return Struct(f"={count}q"), Struct(f"={count}f")


class Arrays(NamedTuple):
    """What an observer writes into; many observers' lie along a first axis more.

    Attributes:
        mask: int8 (ROWS,).
        rows: float32 (ROWS, WIDTH).
        items: int16 (ROWS + OWNED,), those of the rows, then what is owned.
        state: float32 (STATE_SIZE,).
    """

    mask: NDArray[np.int8]
    rows: NDArray[np.float32]
    items: NDArray[np.int16]
    state: NDArray[np.float32]

    @staticmethod
    def zeros(*axes: int) -> Arrays:
        return Arrays(
            np.zeros((*axes, at.ROWS), np.int8),
            np.zeros((*axes, at.ROWS, at.WIDTH), np.float32),
            np.zeros((*axes, at.ROWS + at.OWNED), np.int16),
            np.zeros((*axes, at.STATE_SIZE), np.float32),
        )

    def of(self, number: int) -> Arrays:
        """One observer's part of many, in the same memory."""
        return Arrays(*(array[number] for array in self))

    def copies(self) -> dict[str, NDArray[Any]]:
        """What was seen, to keep, by its name in an observation of the environment."""
        return {
            "action_mask": self.mask.copy(),
            "rows": self.rows.copy(),
            "items": self.items[..., : at.ROWS].copy(),
            "owned": self.items[..., at.ROWS :].copy(),
            "state": self.state.copy(),
        }


class Observer:
    """Looks at a run and keeps what it saw in arrays that every look overwrites.

    It also holds what is not the game's: which cards are selected and which page is shown.

    Attributes:
        mask: int8 (ROWS,), 1 where a row is a legal action.
        rows: float32 (ROWS, WIDTH), what describes a legal row; zero elsewhere.
        items: int16 (ROWS,), the item (`layout`) that a row is about.
        owned: int16 (OWNED,), the items owned or in force.
        state: float32 (STATE_SIZE,).
        arrays: the same, as they were given.

    Args:
        arrays: where to keep what it sees; its own by default.
        foresight: work out `margin`, `adds` and `swap`, by imagined rounds, which costs a few ms
            in each shop; they are 0 otherwise. Then a move of a joker is offered only where it adds
            something.
    """

    def __init__(self, arrays: Arrays | None = None, *, foresight: bool = False) -> None:
        self.arrays = arrays = arrays or Arrays.zeros()
        self.mask = arrays.mask
        self.rows = arrays.rows
        self.items: NDArray[np.int16] = arrays.items[: at.ROWS]
        self.owned: NDArray[np.int16] = arrays.items[at.ROWS :]
        self.state = arrays.state
        self._cells: NDArray[np.float32] = arrays.rows.reshape(-1)
        self._mask_bytes = arrays.mask.data.cast("B")
        self._rows = Rows(foresight)
        self.selected: set[int] = set()
        self.page = 0

    @property
    def plays(self) -> list[Play]:
        """The proposals behind the first rows."""
        return self._rows.plays

    @property
    def discards(self) -> list[Discard]:
        """The proposals behind the rows of the second block."""
        return self._rows.discards

    @property
    def stuck(self) -> bool:
        """Nothing is legal: the game is over."""
        return 1 not in self._rows.mask

    def forget(self) -> None:
        """Clear the selection and go back to the first page, as after every action."""
        self.selected.clear()
        self.page = 0

    def legal(self, row: int) -> bool:
        """Whether a row was legal at the last look."""
        return 0 <= row < at.ROWS and self._rows.mask[row] == 1

    def take(self, row: int) -> Action | None:
        """The action of a row of the last look; None when it only selects a card or turns a page.

        Raises:
            ValueError: the row was not legal then.
        """
        if not self.legal(row):
            raise ValueError(f"row {row} is not legal now")
        if row == at.NEXT_PAGE:
            self.page += 1
            return None
        if at.TOGGLE_CARD <= row < at.TOGGLE_CARD + at.CARD_SLOTS:
            self.selected ^= {self._rows.first_card + row - at.TOGGLE_CARD}
            return None
        self.forget()
        return self._rows.action(row)

    def path(self, run: Run, action: Action) -> list[int]:
        """The rows to take, one after the other from here, to perform a legal action.

        Leaves the selection and the page as they were; look again before taking a row.

        Raises:
            ValueError: the action is not legal, or moves a joker or card to elsewhere than the end
                or front: any order is reached by such moves, but by several of them.
        """
        kept = set(self.selected), self.page
        try:
            return self._search(run, action)
        finally:
            self.selected, self.page = kept

    def _search(self, run: Run, action: Action) -> list[int]:
        action = Action(action.kind, action.index, tuple(sorted(action.cards)))
        path: list[int] = []
        self.observe(run)
        wanted = set(action.cards)
        for _ in range(2 * self._rows.pages(run) + 2):
            if (row := self._rows.find(action)) >= 0:
                return [*path, row]
            first = self._rows.first_card
            for slot in range(at.CARD_SLOTS):
                place = first + slot
                if self.legal(at.TOGGLE_CARD + slot) and (
                    (place in wanted) != (place in self.selected)
                ):
                    self._follow(run, path, at.TOGGLE_CARD + slot)
            if (row := self._rows.find(action)) >= 0:
                return [*path, row]
            if not self.legal(at.NEXT_PAGE):
                break
            self._follow(run, path, at.NEXT_PAGE)
        raise ValueError(f"{action} is not legal now")

    def _follow(self, run: Run, path: list[int], row: int) -> None:
        self.take(row)
        path.append(row)
        self.observe(run, unchanged=True)

    def observe(self, run: Run, *, unchanged: bool = False) -> None:
        """Look at a run; afterwards the arrays and `take` are about this moment.

        Args:
            unchanged: nothing happened to this run since the last look, as after a row for which
                `take` returned None; the proposals are not worked out again then.
        """
        seen = self._rows
        selected = tuple(sorted(self.selected)) if self.selected else ()
        seen.look(run, selected, self.page, unchanged)
        places, values = _packers(len(seen.cells))
        cells = self._cells
        cells.fill(0.0)
        cells[np.frombuffer(places.pack(*seen.places), np.int64)] = np.frombuffer(
            values.pack(*seen.cells), np.float32
        )
        self._mask_bytes[:] = bytes(seen.mask)
        _ITEMS.pack_into(self.arrays.items.data, 0, *seen.items)
        _STATE.pack_into(self.state.data, 0, *seen.state)
