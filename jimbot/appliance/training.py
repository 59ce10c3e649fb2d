"""How training goes: `[training]` of the appliance table."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Window = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrainingShare(_Row):
    """How much training a profile does at a time; sizes are environment steps."""

    env_runners: Annotated[int, Field(ge=1)]
    envs_per_runner: Annotated[int, Field(ge=1)]
    object_store_mb: Annotated[int, Field(ge=80)]
    batch: Annotated[int, Field(ge=1)]
    minibatch: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]


class Curriculum(_Row):
    """Levels, easiest first; a level is the stake played on and the ante whose boss wins the game.

    The next level is played when at least `games` games were won at the rate `advance`, the one
    before when fewer than `retreat` were.
    """

    stakes: Annotated[tuple[str, ...], Field(min_length=1)]
    goals: Annotated[tuple[Annotated[int, Field(ge=1, le=8)], ...], Field(min_length=1)]
    games: Annotated[int, Field(ge=1)]
    advance: Share
    retreat: Share

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if list(self.goals) != sorted(set(self.goals)):
            raise ValueError("curriculum.goals must ascend")
        if self.retreat >= self.advance:
            raise ValueError("curriculum.retreat must be below curriculum.advance")
        return self


class Exploration(_Row):
    """The entropy that the policy shall have, falling over the first `steps` steps, in nats."""

    first: Annotated[float, Field(ge=0)]
    last: Annotated[float, Field(ge=0)]
    steps: Annotated[int, Field(ge=1)]


class Preset(_Row):
    """What `jimbot train --preset` does: a teacher's games, what to make of them, then PPO."""

    share: TrainingShare
    teacher: Literal["heuristic", "search"]
    lessons: Annotated[int, Field(ge=0, description="games of the teacher; 0 to start without")]
    lesson_epochs: Annotated[int, Field(ge=1)]
    evaluate_every: Annotated[int, Field(ge=1, description="iterations")]
    evaluation_games: Annotated[int, Field(ge=2, le=5000, description="held-out seeds")]
    minutes: Annotated[float, Field(gt=0)]


class Training(_Row):
    decks: Annotated[tuple[str, ...], Field(min_length=1, description="the first is evaluated")]
    stake: str
    learning_rate: Annotated[float, Field(gt=0)]
    warm_up: Annotated[int, Field(ge=0, description="iterations that only learn values")]
    evaluate_every: Annotated[int, Field(ge=1, description="iterations")]
    evaluation_games: Annotated[int, Field(ge=2, le=5000, description="held-out seeds")]
    checkpoint_minutes: Annotated[float, Field(gt=0)]
    checkpoints_kept: Annotated[int, Field(ge=1)]
    checkpoint_recipient: Annotated[str, Field(pattern=r"^(age1[0-9a-z]+)?$")]
    checkpoint_identity: str
    record_one_in: Annotated[int, Field(ge=1)]
    off_peak: tuple[Window, ...]
    yield_to_live: bool
    curriculum: Curriculum
    exploration: Exploration
    presets: dict[str, Preset]
