"""What the HTTP API answers. Times are ms since 1970, rates and shares are 0 to 1.

None means: nothing was measured. Intervals are 95 % Wilson score intervals.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from jimbot.metrics import How

Milliseconds = Annotated[int, Field(ge=0, description="ms since 1970")]
Share = Annotated[float, Field(ge=0, le=1)]
ServiceStatus = Literal["ok", "warn", "fail", "unknown", "unchecked"]


class Problem(BaseModel):
    """Why a question was not answered, and what to do."""

    detail: str
    hint: str = ""


class Summary(BaseModel):
    """The figures of the moment. `win_rate` to `mean_ante` are of the last 24 hours' games."""

    time: Milliseconds
    games_finished: Annotated[int, Field(description="games of all time")]
    games_won: Annotated[int, Field(description="games won of all time")]
    first_game_at: Milliseconds | None
    last_game_at: Milliseconds | None
    games_per_hour: Annotated[
        float | None,
        Field(description="rate over the last 10 minutes, or since the first game in them"),
    ]
    games_last_hour: Annotated[int, Field(description="games that ended in the last hour")]
    games_last_day: Annotated[int, Field(description="games that ended in the last 24 hours")]
    win_rate: Share | None
    win_rate_low: Share | None
    win_rate_high: Share | None
    mean_ante: float | None
    best_hand: Annotated[float | None, Field(description="chips, of all time")]
    best_hand_last_day: Annotated[float | None, Field(description="chips, last 24 hours")]
    loss: Annotated[float | None, Field(description="total loss of the last training iteration")]
    training_iterations: int
    training_steps: Annotated[int | None, Field(description="environment steps of the run")]
    events_in_log: int
    events_behind: Annotated[int, Field(description="events that the figures do not hold yet")]


class Trend(BaseModel):
    """The games that ended in one bucket of time, which begins at `time`."""

    time: Milliseconds
    games: int
    games_per_hour: float
    win_rate: Share | None
    win_rate_low: Share | None
    win_rate_high: Share | None
    mean_ante: float | None
    mean_ante_low: Annotated[
        float | None, Field(description="95 % interval, rather too wide; None below 5 games")
    ]
    mean_ante_high: float | None


class Trends(BaseModel):
    """Games by time. Between the first and the last game empty buckets are there, with 0 games."""

    start: Milliseconds
    end: Milliseconds
    step_ms: int
    points: list[Trend]


class TrainingPoint(BaseModel):
    """Training's figures at one time: the means of one bucket, or one iteration's."""

    time: Milliseconds
    loss: float | None = None
    policy_loss: float | None = None
    value_loss: float | None = None
    entropy: Annotated[float | None, Field(description="nats")] = None
    kl: float | None = None
    return_mean: float | None = None
    steps_per_s: Annotated[float | None, Field(description="environment steps a second")] = None


class Training(BaseModel):
    """The learning curves of the last run, or of the one that was asked for."""

    run: str | None
    start: Milliseconds
    end: Milliseconds
    step_ms: int
    iterations: Annotated[int, Field(description="training iterations in this time, all runs")]
    points: list[TrainingPoint]


class EvaluationPoint(BaseModel):
    """How the policy in training played on the seeds that training never sees."""

    time: Milliseconds
    iteration: int
    steps: Annotated[int, Field(description="environment steps so far")]
    games: int
    stake: str
    mean_ante: float
    mean_ante_low: float
    mean_ante_high: float
    win_rate: Share
    win_rate_low: Share
    win_rate_high: Share


class Evaluations(BaseModel):
    """The evaluations of the last run in this time, at most some hundred; oldest first."""

    run: str | None
    start: Milliseconds
    end: Milliseconds
    step_ms: int
    points: list[EvaluationPoint]


class Game(BaseModel):
    """The summary of one finished game."""

    game_id: str
    position: Annotated[int, Field(description="of its event in the log; pages games")]
    time: Annotated[Milliseconds, Field(description="when it ended")]
    seed: str
    deck: str
    stake: str
    policy: str
    source: Annotated[str, Field(description="who played it")]
    won: bool
    ante: int
    round: int
    best_hand: Annotated[float, Field(description="chips of the best single hand")]
    money: int
    actions: int
    duration_ms: float
    jokers: Annotated[list[str], Field(description="names of the jokers held at the end")]
    hands: Annotated[dict[str, int], Field(description="poker hand → times played")]
    recorded: Annotated[bool, Field(description="kept action by action: it can be replayed")]


class Games(BaseModel):
    """A page of games, newest first; `next` is the `before` of the next page."""

    games: list[Game]
    next: int | None
    policies: Annotated[list[str], Field(description="every policy that has played")]


class GameAction(BaseModel):
    """One action of a recorded game; `digest` is the state's after it."""

    number: int
    action: Annotated[list[Any], Field(description="[kind, index, [cards]]")]
    digest: str


class GameRecord(Game):
    """A game with its actions; `rules` is the JimBot that dealt it. Both only when recorded."""

    rules: str | None
    record: list[GameAction] | None


class Series(BaseModel):
    """One series over a range of time; buckets without points are left out."""

    name: str
    start: Milliseconds
    end: Milliseconds
    step_ms: int
    how: How
    points: Annotated[list[tuple[int, float]], Field(description="[bucket's start, value]")]


class ServiceState(BaseModel):
    """How one service is. `unknown`: asked without a usable answer; `unchecked`: not asked."""

    name: str
    title: str
    status: ServiceStatus
    expected: Annotated[bool, Field(description="part of the appliance that runs here now")]
    reason: str = ""
    hint: str = ""
    details: dict[str, Any] = Field(default_factory=dict)


class Services(BaseModel):
    """Every service of the table; `status` is the worst of those that are expected."""

    status: ServiceStatus
    checked_at: Milliseconds | None
    services: list[ServiceState]


class Counted(BaseModel):
    """Games that had something in them, and how many were won."""

    key: str
    name: str
    games: int
    wins: int
    win_rate: Share
    confidence: Annotated[Share, Field(description="lower end of the win rate's interval")]


class Pair(BaseModel):
    """Two jokers held together at the end of games."""

    jokers: tuple[str, str]
    names: tuple[str, str]
    games: int
    wins: int
    confidence: Annotated[Share, Field(description="lower end of the win rate's interval")]


class Combination(BaseModel):
    """Jokers that won `wins` games together."""

    names: list[str]
    wins: int
    game_id: Annotated[str, Field(description="the last of those games")]


class Opinion(BaseModel):
    """What Claude made of a lost game: opinion, not count."""

    subject: str
    relation: str
    object: str
    claim: str
    confidence: Annotated[Share, Field(description="Claude's own")]
    game_id: str
    time: Milliseconds


class Knowledge(BaseModel):
    """What the games have shown: most trusted first. `pairs`, `combinations` and `opinions` are
    None when the graph is not up."""

    jokers: list[Counted]
    hands: list[Counted]
    policies: list[Counted]
    pairs: list[Pair] | None
    combinations: Annotated[
        list[Combination] | None, Field(description="whole sets of jokers that won")
    ]
    opinions: Annotated[list[Opinion] | None, Field(description="Claude's, newest first")]
    pairs_reason: Annotated[str, Field(description="why there are no pairs")] = ""


class LiveGame(BaseModel):
    """A game that is being played, or one that broke off without a word a short while ago."""

    game_id: str
    seed: str
    deck: str
    stake: str
    policy: str
    source: str
    played_on: Annotated[str, Field(description="`simulator`, or the game that deals it")]
    started: Milliseconds
    actions: Annotated[int, Field(description="that have reached the log")]
    last_action: Milliseconds
    replayable: bool


class Use(BaseModel):
    """What one service or group uses of its share. `used` None: not running, or not measured."""

    name: str
    title: str
    group: Annotated[str, Field(description="of a service; empty for a group")] = ""
    used: Annotated[int | None, Field(description="bytes")]
    limit: Annotated[int, Field(description="bytes, by the table")]
    gpu_used: Annotated[int | None, Field(description="bytes; None where none can be asked")] = None
    gpu_limit: Annotated[int, Field(description="bytes, by the table; 0 for none")] = 0
    cores: Annotated[float | None, Field(description="processor cores in use")] = None


class Gpu(BaseModel):
    """One GPU of the machine."""

    name: str
    used: Annotated[int, Field(description="bytes, by anybody")]
    size: Annotated[int, Field(description="bytes")]
    busy: Share | None


class Resources(BaseModel):
    """Memory, processor, GPU and disk against their budgets.

    `checked` is false while no `jimbot up` runs on this home: nobody can tell which processes are
    its services, so every `used` is None.
    """

    checked: bool
    reason: str = ""
    time: Milliseconds
    services: list[Use]
    groups: list[Use]
    gpus: Annotated[list[Gpu] | None, Field(description="None where no GPU can be asked")]
    storage: Annotated[dict[str, int], Field(description="bytes by part of the home")]
    disk_used: int | None
    disk_size: int | None


class Spent(BaseModel):
    """Money and requests of one day (YYYY-MM-DD), model or purpose."""

    key: str
    dollars: float
    tokens: int
    requests: int


class CostReport(BaseModel):
    """What Claude cost in the last days, in dollars, and where the month leads."""

    dollars: float
    tokens: int
    requests: int
    by_day: list[Spent]
    by_model: list[Spent]
    by_purpose: list[Spent]
    games: int
    games_won: int
    per_game: float | None
    per_won_game: float | None
    this_month: float
    month_forecast: float
    month_budget: float
    over_budget: bool


class Costs(BaseModel):
    """The gateway's report. `away`: it runs here but did not answer; `unchecked`: it does not run.
    Then `report` is None: nobody knows what was spent, which is not nothing."""

    state: Literal["ok", "away", "unchecked"]
    reason: str = ""
    hint: str = ""
    report: CostReport | None


class Backups(BaseModel):
    """How old the newest proved backup is. `unchecked`: nobody could tell, which is not well."""

    state: Literal["ok", "stale", "none", "unchecked"]
    reason: str = ""
    hint: str = ""
    last_ok: Milliseconds | None = None
    age_s: float | None = None
    stale_after_s: float | None = None
    snapshots: int | None = None
    last_try: Milliseconds | None = None
    last: Annotated[dict[str, int], Field(description="newest of each kind, ms since 1970")] = {}
