"""A game in a terminal: shows the run, reads a line, does it, until the game is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.text import Text

from jimbot.errors import JimbotError
from jimbot.game import Action, Run
from jimbot.terminal import screen
from jimbot.terminal.commands import HELP, Command, CommandError, Meta, parse


class Player(Protocol):
    """What can play instead of the person: any of `jimbot.policy`."""

    @property
    def name(self) -> str: ...

    def act(self, run: Run) -> Action: ...


class Session:
    """One sitting at the table.

    Args:
        run: where to begin.
        player: takes over on `policy` and `auto`.
        read: asks for a line, as `input` does; EOFError ends the session.
        actions: everything done so far; what `save` writes lets the game be played again.
    """

    def __init__(
        self, run: Run, player: Player, console: Console, read: Callable[[str], str] = input
    ) -> None:
        self.run = run
        self.actions: list[Action] = []
        self._player = player
        self._console = console
        self._read = read
        self._quit = False

    def play(self) -> None:
        """Until the game is over or the player has had enough."""
        self._show()
        while not (self._quit or self.run.over):
            try:
                line = self._read("> ")
            except (EOFError, KeyboardInterrupt):
                self._console.print()
                break
            try:
                self._do(line)
            except (JimbotError, OSError) as error:
                self._console.print(Text(str(error), style="red"))
        self._end()

    def let_policy_play(self, count: int | None = None) -> None:
        """The policy takes `count` actions, or all that are left."""
        done = 0
        while not self.run.over and (count is None or done < count):
            before = self.run.chips
            action = self._player.act(self.run)
            self._step(action)
            done += 1
            gained = self.run.chips - before
            score = f"  +{screen.number(gained)}" if gained > 0 else ""
            self._console.print(Text(f"{self._player.name}: {describe(action)}{score}"))

    def _do(self, line: str) -> None:
        command = parse(line, self.run)
        if isinstance(command, Action):
            self._step(command)
            self._show()
        else:
            self._meta(command)

    def _meta(self, command: Command) -> None:
        match command.meta:
            case Meta.HELP:
                self._console.print(Text(HELP))
            case Meta.INFO:
                self._console.print(screen.info(self.run))
            case Meta.HANDS:
                self._console.print(screen.hands(self.run))
            case Meta.DECK:
                self._console.print(screen.deck(self.run))
            case Meta.POLICY:
                if command.argument and not command.argument.isdigit():
                    raise CommandError("policy takes a number", hint="Type policy, or policy 10")
                self.let_policy_play(int(command.argument or 1))
                self._show()
            case Meta.AUTO:
                self.let_policy_play()
            case Meta.SAVE:
                self._save(command.argument)
            case Meta.QUIT:
                self._quit = True

    def _step(self, action: Action) -> None:
        self.run.step(action)
        self.actions.append(action)

    def _save(self, name: str) -> None:
        if not name:
            raise CommandError("save where?", hint="Type save FILE")
        with Path(name).expanduser().open("x", encoding="utf-8") as file:
            json.dump(self.run.save(), file)
        self._console.print(f"saved; go on with: jimbot play --load {name}")

    def _show(self) -> None:
        if not self.run.over:
            self._console.print(screen.screen(self.run))

    def _end(self) -> None:
        if not self.run.over:
            return
        verdict = "won" if self.run.won else f"lost in ante {self.run.ante}"
        best = screen.number(self.run.best_hand)
        self._console.print(
            Text(f"The run is {verdict}, round {self.run.round}. Best hand {best}.", style="bold")
        )


def describe(action: Action) -> str:
    """An action in words; places count from 1."""
    words: str = action.kind.name.lower().replace("_", " ")
    if action.kind.name in _WITH_PLACE:
        words += f" {action.index + 1}"
    if action.cards:
        words += f" [{' '.join(str(card + 1) for card in action.cards)}]"
    return words


_WITH_PLACE = {
    "BUY_CARD",
    "BUY_AND_USE",
    "BUY_VOUCHER",
    "BUY_PACK",
    "SELL_JOKER",
    "SELL_CONSUMABLE",
    "USE_CONSUMABLE",
    "PICK_PACK",
    "MOVE_JOKER",
    "MOVE_CARD",
}
