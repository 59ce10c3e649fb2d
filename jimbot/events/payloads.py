"""What the payload of each type of event holds.

JimBot's own types are closed models. The game's types (BalatroMCP) name the fields that JimBot
reads and let the mod send more.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

GAME_STARTED = "GAME_STARTED"
GAME_ACTION = "GAME_ACTION"
GAME_FINISHED = "GAME_FINISHED"
TRAINING_ITERATION = "TRAINING_ITERATION"

GameId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GameStarted(_Payload):
    """The first event of a game that is kept action by action."""

    game_id: GameId
    seed: str
    deck: str
    stake: str
    policy: str
    rules: Annotated[str, Field(description="JimBot's version, whose rules dealt this game")]


class GameAction(_Payload):
    """One action of a kept game; `digest` is the state's after it, so a replay can prove itself."""

    game_id: GameId
    number: Annotated[int, Field(ge=0)]
    action: Annotated[list[Any], Field(description="[kind, index, [cards]] of jimbot.game.Action")]
    digest: str


class GameFinished(_Payload):
    """The summary that every game leaves, kept action by action or not."""

    game_id: GameId
    seed: str
    deck: str
    stake: str
    policy: str
    won: bool
    ante: Annotated[int, Field(ge=0)]
    round: Annotated[int, Field(ge=0)]
    best_hand: Annotated[float, Field(ge=0, description="chips of the best single hand")]
    money: int
    actions: Annotated[int, Field(ge=0)]
    duration_ms: Annotated[float, Field(ge=0)]
    jokers: list[str] = Field(
        default_factory=list, description="keys of the jokers held at the end"
    )
    hands: dict[str, int] = Field(default_factory=dict, description="poker hand → times played")
    recorded: Annotated[bool, Field(description="the log holds its actions too")] = False


class TrainingIteration(_Payload):
    """One training iteration's figures, as the algorithm reports them."""

    run: str
    iteration: Annotated[int, Field(ge=0)]
    steps: Annotated[int, Field(ge=0, description="environment steps so far")]
    games: Annotated[int, Field(ge=0, description="games finished in this iteration")]
    return_mean: float | None = None
    loss: float | None = None
    policy_loss: float | None = None
    value_loss: float | None = None
    entropy: float | None = None
    kl: float | None = None
    steps_per_s: float | None = None
