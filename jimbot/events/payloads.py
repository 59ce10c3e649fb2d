"""What the payload of each type of event holds.

JimBot's own types are closed models. The game's types (BalatroMCP) name the fields that JimBot
reads and let the mod send more. A new type is a model and an entry in `PAYLOADS`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from jimbot.events.event import Event, EventError, UnknownType, first_problem

GAME_STARTED = "GAME_STARTED"
GAME_ACTION = "GAME_ACTION"
GAME_FINISHED = "GAME_FINISHED"
GAME_ABANDONED = "GAME_ABANDONED"
TRAINING_ITERATION = "TRAINING_ITERATION"
TRAINING_EVALUATION = "TRAINING_EVALUATION"
CLAUDE_REQUEST = "CLAUDE_REQUEST"
STRATEGY_NOTE = "STRATEGY_NOTE"

_GAME_ID = r"^[A-Za-z0-9_-]{1,64}$"
GameId = Annotated[str, Field(pattern=_GAME_ID)]


class _Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class GameStarted(_Payload):
    """The first event of a game that is kept action by action."""

    game_id: GameId
    seed: str
    deck: str
    stake: str
    policy: str
    rules: Annotated[str, Field(description="JimBot's version, whose rules dealt this game")]
    played_on: Annotated[
        str, Field(max_length=64, description="`simulator`, or the game that dealt it instead")
    ] = "simulator"


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


class GameAbandoned(_Payload):
    """The end of a game that nobody finished: it has no outcome and counts in no statistic."""

    game_id: GameId
    reason: Annotated[str, Field(max_length=500)]
    actions: Annotated[int, Field(ge=0)]


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


class TrainingEvaluation(_Payload):
    """How the policy in training played on the held-out seeds; intervals are those of 95 %."""

    run: str
    iteration: Annotated[int, Field(ge=0)]
    steps: Annotated[int, Field(ge=0, description="environment steps so far")]
    games: Annotated[int, Field(ge=1, description="played for this evaluation")]
    stake: str
    mean_ante: float
    mean_ante_low: float
    mean_ante_high: float
    win_rate: Annotated[float, Field(ge=0, le=1)]
    win_rate_low: Annotated[float, Field(ge=0, le=1)]
    win_rate_high: Annotated[float, Field(ge=0, le=1)]


class ClaudeRequest(_Payload):
    """A request to Claude that has ended: what it was for, and what it cost."""

    request_id: Annotated[str, Field(min_length=1, max_length=64)]
    model: Annotated[str, Field(max_length=128)]
    purpose: Annotated[str, Field(max_length=64)]
    status: Annotated[str, Field(max_length=64, description="`ok`, or how it failed")]
    questions: Annotated[int, Field(ge=0)]
    input_tokens: Annotated[int, Field(ge=0)] = 0
    output_tokens: Annotated[int, Field(ge=0)] = 0
    cache_write_tokens: Annotated[int, Field(ge=0)] = 0
    cache_read_tokens: Annotated[int, Field(ge=0)] = 0
    dollars: Annotated[float, Field(ge=0, description="at its ceiling where nobody knows")]
    batch: bool = False
    elapsed_ms: Annotated[float, Field(ge=0)]
    game_ids: Annotated[
        list[GameId], Field(max_length=64, description="the games it was asked for")
    ] = []

    @property
    def tokens(self) -> int:
        return (
            self.input_tokens
            + self.output_tokens
            + self.cache_write_tokens
            + self.cache_read_tokens
        )


class StrategyNote(_Payload):
    """A claim about two things of the game that Claude drew from a lost one: opinion, not count."""

    note_id: Annotated[str, Field(min_length=1, max_length=128)]
    game_id: GameId
    subject: Annotated[str, Field(min_length=1, max_length=120)]
    relation: Annotated[
        str, Field(pattern="^(works_with|works_against|counters|needs|is_weak_in)$")
    ]
    object: Annotated[str, Field(min_length=1, max_length=120)]
    claim: Annotated[str, Field(min_length=1, max_length=600)]
    confidence: Annotated[float, Field(ge=0, le=1)]


# The game's own types, from the mod BalatroMCP (shared/balatromcp/README.md).


def _lua_list(value: object) -> object:
    return [] if value == {} else value


def _lua_table(value: object) -> object:
    return {} if value == [] else value


# Lua has one empty table; the mod's JSON encoder may write it as [] or {}.
LuaList = Annotated[list[Any], BeforeValidator(_lua_list)]
LuaTable = Annotated[dict[str, Any], BeforeValidator(_lua_table)]
LuaState = Annotated[int | str, Field(description="a state's number or name, as the mod has it")]


class _FromGame(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class ConnectionTest(_FromGame):
    """The mod asks whether somebody listens."""


class Heartbeat(_FromGame):
    """Every five seconds from the mod."""

    version: str | float
    uptime: float
    headless: bool = False
    game_state: LuaState | None = None


class GameState(_FromGame):
    """The whole visible table; `deck` holds the hidden order too, which no policy may see."""

    in_game: bool
    game_id: str | None = Field(None, description="the seed")
    ante: int | None = None
    round: int | None = None
    hand_number: int | None = None
    chips: float | None = None
    mult: float | None = None
    money: float | None = None
    hand_size: int | None = None
    hands_remaining: int | None = None
    discards_remaining: int | None = None
    score_history: LuaList | None = None
    jokers: LuaList | None = None
    hand: LuaList | None = None
    deck: LuaTable | None = None
    consumables: LuaList | None = None
    shop_items: LuaTable | None = None
    game_state: LuaState | None = None
    ui_state: LuaState | None = None
    blind: LuaTable | None = None


class MoneyChanged(_FromGame):
    old_value: float
    new_value: float
    difference: float


class ScoreChanged(_FromGame):
    old_chips: float
    new_chips: float
    old_mult: float
    new_mult: float


class HandPlayed(_FromGame):
    hands_remaining: int
    hand_number: int


class CardsDiscarded(_FromGame):
    discards_remaining: int


class JokersChanged(_FromGame):
    old_count: int
    new_count: int
    jokers: LuaList


class RoundChanged(_FromGame):
    ante: int
    round: int


class PhaseChanged(_FromGame):
    old_phase: LuaState
    new_phase: LuaState


class RoundComplete(_FromGame):
    """A blind was beaten."""


class JokerTrigger(_FromGame):
    joker_name: str
    context_type: str


class Diagnostic(_FromGame):
    """Whatever the mod's author wanted to know."""


class GameErrorReport(_FromGame):
    """The mod met an error."""


class LearningDecision(_FromGame):
    """A decision that the mod reports back."""


PAYLOADS: dict[str, type[BaseModel]] = {
    GAME_STARTED: GameStarted,
    GAME_ACTION: GameAction,
    GAME_FINISHED: GameFinished,
    GAME_ABANDONED: GameAbandoned,
    TRAINING_ITERATION: TrainingIteration,
    TRAINING_EVALUATION: TrainingEvaluation,
    CLAUDE_REQUEST: ClaudeRequest,
    STRATEGY_NOTE: StrategyNote,
    "connection_test": ConnectionTest,
    "HEARTBEAT": Heartbeat,
    "GAME_STATE": GameState,
    "MONEY_CHANGED": MoneyChanged,
    "SCORE_CHANGED": ScoreChanged,
    "HAND_PLAYED": HandPlayed,
    "CARDS_DISCARDED": CardsDiscarded,
    "JOKERS_CHANGED": JokersChanged,
    "ROUND_CHANGED": RoundChanged,
    "PHASE_CHANGED": PhaseChanged,
    "ROUND_COMPLETE": RoundComplete,
    "JOKER_TRIGGER": JokerTrigger,
    "DIAGNOSTIC": Diagnostic,
    "ERROR": GameErrorReport,
    "LEARNING_DECISION": LearningDecision,
}


def validate(event: Event) -> None:
    """Prove that an event's payload is what its type promises.

    Raises:
        UnknownType: no model has this type.
        EventError: a field is missing or wrong; the message holds its path.
    """
    model = PAYLOADS.get(event.type)
    if model is None:
        raise UnknownType(f"unknown event type {event.type!r}")
    try:
        model.model_validate(event.payload)
    except ValidationError as error:
        raise EventError(first_problem(error, within="payload")) from None


def stream_of(event: Event) -> str:
    """The stream an event belongs to: its game's, else its source's."""
    game_id = event.payload.get("game_id")
    if isinstance(game_id, str) and re.fullmatch(_GAME_ID[1:-1], game_id):
        return game_stream(game_id)
    return f"source-{event.source}"


def game_stream(game_id: str) -> str:
    """The stream of one game's events."""
    return f"game-{game_id}"
