"""What is asked of the gateway and what it answers: the models of its HTTP API."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Kind = Literal[
    "play",
    "discard",
    "shop",
    "pack",
    "consumable",
    "blind",
    "boss",
    "synergy",
    "voucher",
    "spectral",
]
Source = Literal["claude", "cache:exact", "cache:similar", "cache:pattern", "graph", "strategist"]

Text = Annotated[str, Field(max_length=200)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class State(_Model):
    """What the player sees. Face-down cards are `?`; the deck is what remains, unordered."""

    ante: Annotated[int, Field(ge=0, le=100)] = 1
    round: Annotated[int, Field(ge=0)] = 1
    deck: Text = ""
    stake: Text = ""
    blind: Text = ""
    boss: bool = False
    chips: Annotated[Number, Field(ge=0, description="scored this blind")] = 0
    required: Annotated[Number, Field(ge=0, description="chips to beat; 0 outside a blind")] = 0
    hands_left: Annotated[int, Field(ge=0)] = 0
    discards_left: Annotated[int, Field(ge=0)] = 0
    money: int = 0
    reroll_cost: Annotated[int, Field(ge=0)] = 0
    joker_slots: Annotated[int, Field(ge=0)] = 5
    jokers: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    consumables: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    vouchers: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    hand: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    hand_levels: Annotated[dict[Text, int], Field(max_length=32)] = {}
    deck_left: Annotated[dict[Text, int], Field(max_length=200)] = {}
    notes: Annotated[tuple[Text, ...], Field(max_length=20, description="what else matters")] = ()


class Choice(_Model):
    """One legal action.

    `key` means the same in every state (`buy:j_blueprint`, `play:Flush`), `label` is for a reader
    and `features` are named figures: `score` (chips that a play is expected to add), `cost`,
    `value`, whatever else helps.
    """

    key: Annotated[str, Field(min_length=1, max_length=120)]
    label: Text
    features: Annotated[dict[Text, Number], Field(max_length=64)] = {}


class Question(_Model):
    """A decision to be advised on, with everything that the answer may rest on.

    `probabilities` are the policy's over `legal`, in order; `deadline_ms` is when the answer must
    be back, counted from arrival; `decisions` counts what this client decided since its last
    question, this one included: it is what the gateway's share of consulted decisions is taken of.
    """

    kind: Kind
    state: State
    legal: Annotated[tuple[Choice, ...], Field(min_length=1, max_length=512)]
    probabilities: Annotated[tuple[Probability, ...], Field(max_length=512)] = ()
    deadline_ms: Annotated[int, Field(ge=20, le=120_000)] = 2000
    game_id: Id | None = None
    decisions: Annotated[int, Field(ge=1, le=100_000)] = 1

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.probabilities and len(self.probabilities) != len(self.legal):
            raise ValueError(
                f"{len(self.probabilities)} probabilities for {len(self.legal)} legal actions"
            )
        return self

    def index_of(self, key: str) -> int | None:
        """The first legal action that `key` means, if there is one now."""
        return next((i for i, choice in enumerate(self.legal) if choice.key == key), None)

    @property
    def preferred(self) -> int | None:
        """What the policy would do; None when it did not say."""
        if not self.probabilities:
            return None
        return max(range(len(self.legal)), key=self.probabilities.__getitem__)


class Advice(_Model):
    """Which legal action to take, and where that came from."""

    advice_id: Id
    index: Annotated[int, Field(ge=0, description="position in the question's legal list")]
    key: str
    reasoning: str
    confidence: Probability
    alternative: Annotated[int | None, Field(ge=0)] = None
    source: Source
    declined: Annotated[str, Field(description="why Claude was not asked or not heard")] = ""
    elapsed_ms: Annotated[float, Field(ge=0)] = 0


class Outcome(_Model):
    """What came of an advice: the policy's value of the state before it, and what it became.

    Both are in 0..1 (chance to win the run, or any scale that the client keeps to); `followed`
    says whether the advice was played at all.
    """

    advice_id: Id
    expected: Probability
    observed: Probability
    followed: bool = True


class GameResult(_Model):
    """How a game ended that the gateway was asked about."""

    game_id: Id
    won: bool
    ante: Annotated[int, Field(ge=0)]
