"""Playing the real game from the command line, into the log."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from jimbot.appliance import Appliance, Home
from jimbot.game import Action, Run
from jimbot.mcp.advice import GatewayAdviser
from jimbot.mcp.advised import AdvisedPolicy
from jimbot.mcp.balatrobot.client import Client
from jimbot.mcp.balatrobot.driver import Driver, Played
from jimbot.mcp.client import EventClient
from jimbot.operations.errors import OperationError
from jimbot.policy import Policy
from jimbot.security import tokens
from jimbot.terminal.screen import number
from jimbot.terminal.session import describe

# What the log may take to acknowledge the game's events once it is over.
_DELIVER_S = 10.0
# How long a game may be away (it is restarted, say) before that is an error.
_PATIENCE_S = 60.0


def balatrobot(
    appliance: Appliance,
    home: Home,
    policy: Policy,
    console: Console,
    *,
    host: str,
    port: int,
    deck: str,
    stake: str,
    seed: str | None,
    endless: bool,
    advice: bool = True,
) -> Played:
    """Play one game of a running BalatroBot with `policy`, and tell it as it goes.

    Args:
        advice: ask the gateway where the policy is unsure; while that is away, nobody is asked.

    Raises:
        JimbotError: the game cannot be reached or goes no further, or its events could not be
            delivered to mcp.
    """
    home.prepare()
    events = EventClient(
        appliance.url("mcp", "websocket", scheme="ws"),
        journal=home.acknowledged,
        token=tokens.own(home),
    )

    def told(action: Action, run: Run) -> None:
        where = f"ante {run.ante}  ${run.money}  {number(run.chips)}/{number(run.required)}"
        console.print(Text(f"{where}  {policy.name}: {describe(action)}"))

    advised = AdvisedPolicy(policy, _adviser(appliance)) if advice else None
    delivered = False
    try:
        with Client(host, port, patience=_PATIENCE_S) as client:
            driver = Driver(
                client,
                advised or policy,
                deck=deck,
                stake=stake,
                seed=seed,
                events=events,
                endless=endless,
                told=told,
            )
            played = driver.play()
        if advised:
            advised.over(played.seed, won=played.won, ante=played.ante)
    finally:
        if advised:
            advised.close()
        delivered = events.close(_DELIVER_S)
    result = "won" if played.won else f"lost in ante {played.ante}"
    console.print(
        Text(
            f"Game {played.game_id} is {result} after {played.actions} actions; "
            f"best hand {number(played.best_hand)}.",
            style="bold",
        )
    )
    if advised and advised.advised:
        console.print(Text(f"Claude's advice was followed {advised.advised} times."))
    if not delivered:
        raise OperationError(
            f"the log has not taken all events of game {played.game_id}",
            hint="Start the appliance before playing: jimbot up --no-train",
        )
    return played


def _adviser(appliance: Appliance) -> GatewayAdviser:
    return GatewayAdviser(appliance.url("claude"), appliance.claude.least_deadline_ms / 1000)
