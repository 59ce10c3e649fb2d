"""The training driver: RLlib's PPO from the connection to Ray to the last checkpoint.

Reads from top to bottom. Ray and torch are imported only inside, after `cluster.environment`.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from jimbot.appliance import Appliance, Home
from jimbot.appliance.training import TrainingShare
from jimbot.events.event import Event
from jimbot.events.payloads import (
    TRAINING_EVALUATION,
    TRAINING_ITERATION,
    TrainingEvaluation,
    TrainingIteration,
)
from jimbot.mcp.client import EventClient
from jimbot.policy.weights import PolicyFileError, read
from jimbot.training import checkpoints, cluster, device, drain, evaluation, exploration
from jimbot.training.curriculum import Ladder, Standing
from jimbot.training.errors import TrainingError
from jimbot.training.exploration import Exploration
from jimbot.training.imitation import GAMMA
from jimbot.training.pauses import Pauses

_log = logging.getLogger(__name__)

CONNECT_S: Final = 60.0
FLUSH_S: Final = 1.0
PAUSE_S: Final = 5.0  # between two looks whether a pause is over
_PROGRESS = "progress.json"


@dataclass
class Progress:
    """How far training is; kept in each checkpoint."""

    run: str = field(default_factory=lambda: f"{int(time.time()):x}-{uuid.uuid4().hex[:6]}")
    iteration: int = 0
    steps: int = 0
    games: int = 0
    warm_up: int = 0  # iterations that are left of it
    curriculum: dict[str, Any] = field(default_factory=dict)
    exploration: dict[str, Any] = field(default_factory=dict)


@dataclass
class Status:
    """What the service tells of the training thread; written by that thread alone."""

    stage: str = "importing"
    paused: str = ""  # why
    paused_s: float = 0.0  # in all
    device: str = ""
    progress: Progress | None = None
    resumed_from: str = ""
    checkpoint: str = ""
    last_iteration: float = 0.0  # time.monotonic()
    iteration_s: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What to train, and for whom.

    Attributes:
        share: how much at a time.
        connect: to Ray; False when it was told to stop meanwhile.
        start: an exported policy to start from where there is no checkpoint; None starts anew.
        events: mcp's WebSocket, which games and figures go to; None keeps them.
        pauses: asked between iterations.
        evaluate_every, evaluation_games: in iterations, and on so many held-out seeds.
    """

    share: TrainingShare
    connect: Callable[[Callable[[], bool]], bool]
    start: Path | None
    events: str | None
    pauses: Pauses
    evaluate_every: int
    evaluation_games: int


def appliance_plan(appliance: Appliance, home: Home, profile_name: str) -> Plan:
    """The trainer service's: on the appliance's Ray, from the policy that plays, with everybody."""
    from jimbot.policy import learned_file

    table = appliance.training
    share = appliance.profiles[profile_name].training
    start = learned_file(home)
    return Plan(
        share=share,
        connect=lambda stopped: cluster.connect(
            appliance, home, share, timeout_s=CONNECT_S, stopped=stopped
        ),
        start=start if start.exists() else None,
        events=appliance.url("mcp", "websocket", scheme="ws"),
        pauses=Pauses.of(appliance),
        evaluate_every=table.evaluate_every,
        evaluation_games=table.evaluation_games,
    )


def train(
    appliance: Appliance,
    home: Home,
    plan: Plan,
    *,
    stop: threading.Event,
    status: Status,
    connected: Callable[[], object] = lambda: None,
    paused: Callable[[str], object] = lambda _: None,
    iterated: Callable[[TrainingIteration], object] = lambda _: None,
    evaluated: Callable[[TrainingEvaluation], object] = lambda _: None,
) -> Progress:
    """Train until `stop` is set, from the newest whole checkpoint if there is one.

    Args:
        connected: called once Ray is there, which has taken over this process's signals.
        paused: called with the reason when a pause begins, and with "" when it is over.
        iterated: called with each iteration's figures.
        evaluated: called with each evaluation's.

    Raises:
        MissingExtra: Ray is not installed.
        TrainingError: Ray does not come up, or a checkpoint does not fit.
    """
    table = appliance.training

    # 1. Connect.
    began = time.monotonic()
    status.stage = "waiting for Ray"
    cluster.environment(home)
    if not plan.connect(stop.is_set):
        return Progress()
    connected()
    import ray

    reached = time.monotonic()

    client = EventClient(plan.events, journal=home.acknowledged) if plan.events else None
    algorithm = None
    try:
        # 2. Build the algorithm.
        status.stage = "building the algorithm"
        context: dict[str, Any] = {"decks": table.decks, "stake": table.stake}
        if plan.events and cluster.together(appliance):
            context |= {
                "events": plan.events,
                "journal": str(home.acknowledged),
                "record_one_in": table.record_one_in,
            }
        status.device = device.place(appliance.service("trainer").vram_mb)
        config = configure(
            plan.share, context, home, device=status.device, rate=table.learning_rate
        )
        imported = time.monotonic()
        algorithm = config.build_algo(use_copy=False)
        took = {
            "connect_s": round(reached - began, 2),
            "import_s": round(imported - reached, 2),
            "build_s": round(time.monotonic() - imported, 2),
            "device": status.device,
        }
        _log.info("ready", extra={"fields": took})

        # 3. Resume, or start from a policy that has learned something already.
        checkpoints.sweep(home.checkpoints)
        progress = Progress()
        if found := checkpoints.newest(home.checkpoints):
            progress = _restore(algorithm, found, checkpoints.Seal.of(table, home))
            status.resumed_from = found.name
            _log.info("resumed", extra={"fields": {"checkpoint": found.name, **asdict(progress)}})
        elif plan.start is not None and _start(algorithm, plan.start):
            progress.warm_up = table.warm_up
            _log.info("started from", extra={"fields": {"policy": str(plan.start)}})
        status.progress = progress
        ladder = Ladder(table.curriculum, table.stake, Standing(**progress.curriculum))
        explorer = Exploration(**progress.exploration)

        # 4. Train, report, and save from time to time.
        status.stage = "training"
        status.last_iteration = saved = time.monotonic()
        last_saved = progress.steps if status.resumed_from else -1
        while not stop.is_set():
            if _pause(algorithm, plan.pauses, status, stop, paused):
                continue
            _adjust(algorithm, ladder, explorer, warming=progress.warm_up > 0)
            started = time.monotonic()
            result = algorithm.train()
            now = time.monotonic()
            # RLlib says 0, nothing, or "not a number" when all runners were lost.
            if not _finite((result.get("env_runners") or {}).get("num_env_steps_sampled")):
                _log.warning("the runners gave nothing for %.0f s", now - started)
                continue
            figures = _figures(result, progress, now - started)
            if client is not None:
                client.send(_event(TRAINING_ITERATION, figures))
            status.last_iteration, status.iteration_s = now, now - started
            iterated(figures)

            # What the next iteration shall be like.
            progress.warm_up = max(0, progress.warm_up - 1)
            if figures.entropy is not None and not progress.warm_up:
                wanted = exploration.target(table.exploration, progress.steps)
                explorer.observe(figures.entropy, wanted)
            games, won = _won(algorithm, progress.iteration)
            if ladder.count(games, won):
                _log.info("another level", extra={"fields": ladder.level._asdict()})
            progress.curriculum, progress.exploration = ladder.state(), asdict(explorer)

            if progress.iteration % plan.evaluate_every == 0:
                told = _evaluate(algorithm, progress, plan.evaluation_games, appliance)
                if told is not None:
                    if client is not None:
                        client.send(_event(TRAINING_EVALUATION, told))
                    evaluated(told)
                status.last_iteration = time.monotonic()
            if now - saved > table.checkpoint_minutes * 60:
                status.checkpoint = _save(algorithm, progress, appliance, home).name
                saved, last_saved = now, progress.steps
        if drain.wanted.is_set():
            status.stage = "finishing the games"
            drain.finish(algorithm, appliance.deploy.drain_s)
        if progress.steps != last_saved:
            status.checkpoint = _save(algorithm, progress, appliance, home).name
        return progress
    finally:
        # 5. Deliver what the runners still hold, and end them.
        status.stage = "stopping"
        if algorithm is not None:
            from jimbot.training.games import close_outboxes

            algorithm.env_runner_group.foreach_env_runner(
                lambda _: close_outboxes(FLUSH_S), local_env_runner=False, timeout_seconds=FLUSH_S
            )
            algorithm.stop()
        if client is not None:
            client.close(FLUSH_S)
        ray.shutdown()


def configure(
    share: TrainingShare,
    context: dict[str, Any],
    home: Home,
    *,
    device: str = "cpu",
    rate: float = 1e-4,
) -> Any:
    """RLlib's PPO, sized by a profile's share; `context` is what `games.make_env` takes."""
    import torch
    from ray.rllib.algorithms.ppo import PPO, PPOConfig
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec
    from ray.tune.registry import register_env

    from jimbot.env import ENV_ID
    from jimbot.training.games import make_env
    from jimbot.training.learner import RowsLearner
    from jimbot.training.module import SIZE, RowsModule

    class Training(PPO):  # type: ignore[misc]
        def _setup_logdir(self) -> None:
            """Not into ~/ray_results: figures go to the event log."""
            self._logdir = str(home.logs)

    # The network is too small for a second thread to pay, and on a busy machine threads that wait
    # for each other cost ten times what they bring.
    torch.set_num_threads(1)
    register_env(ENV_ID, make_env)
    return (
        PPOConfig(algo_class=Training)
        .environment(ENV_ID, env_config=context, disable_env_checking=True)
        .env_runners(
            num_env_runners=share.env_runners,
            num_envs_per_env_runner=share.envs_per_runner,
            rollout_fragment_length="auto",
        )
        .learners(
            num_learners=0,
            num_gpus_per_learner=int(device == "cuda"),
            learner_class=RowsLearner,
        )
        .rl_module(rl_module_spec=RLModuleSpec(module_class=RowsModule, model_config=SIZE))
        .training(
            train_batch_size_per_learner=share.batch,
            minibatch_size=share.minibatch,
            num_epochs=share.epochs,
            lr=rate,
            gamma=GAMMA,
            lambda_=0.96,
            clip_param=0.2,
            vf_clip_param=1000.0,
            # Values share the trunk with the policy, and their errors are the larger ones by far.
            vf_loss_coeff=0.05,
            entropy_coeff=Exploration().coefficient,
            use_kl_loss=False,
            grad_clip=0.5,
        )
        .debugging(log_sys_usage=False, log_level="ERROR")
    )


def _start(algorithm: Any, file: Path) -> bool:
    """Give learner and runners the weights of an exported policy; False when they do not fit."""
    import torch

    try:
        weights, _ = read(file)
        state = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
        algorithm.learner_group.foreach_learner(
            lambda learner: learner.module["default_policy"].load_state_dict(state)
        )
    except (PolicyFileError, RuntimeError) as error:
        _log.warning("training starts from nothing: %s", error)
        return False
    _hand_out(algorithm)
    return True


def _hand_out(algorithm: Any) -> None:
    """Give the runners the learner's weights and wait until they have them.

    RLlib does it by itself only after an update; of what it restores it tells the runners without
    waiting, and one that was just starting then plays an iteration with random weights.
    """
    state = _weights(algorithm)
    algorithm.env_runner_group.foreach_env_runner(
        # It lacks what only learning needs, the value.
        lambda runner: runner.module.load_state_dict(state, strict=False)
    )


def _weights(algorithm: Any) -> dict[str, Any]:
    """The learner's, as tensors on the CPU."""
    module = algorithm.learner_group._learner.module["default_policy"]
    return {name: value.cpu() for name, value in module.state_dict().items()}


def _pause(
    algorithm: Any,
    pauses: Pauses,
    status: Status,
    stop: threading.Event,
    told: Callable[[str], object],
) -> bool:
    """Wait while there is a reason to, without the GPU; True when there was one."""
    if not (reason := pauses.reason()):
        return False
    _log.info("paused", extra={"fields": {"reason": reason}})
    told(reason)
    on_gpu = status.device == "cuda"
    if on_gpu:
        algorithm.learner_group.foreach_learner(device.give_back)
    began, before = time.monotonic(), status.paused_s
    while reason and not stop.is_set():
        status.paused = reason
        stop.wait(PAUSE_S)
        status.last_iteration = now = time.monotonic()
        status.paused_s = before + now - began
        reason = pauses.reason()
    status.paused = ""
    if on_gpu:
        algorithm.learner_group.foreach_learner(device.take_back)
    _log.info("going on")
    told("")
    return True


def _adjust(algorithm: Any, ladder: Ladder, explorer: Exploration, *, warming: bool) -> None:
    """Tell learner and runners how the next iteration shall be."""
    from jimbot.training.games import set_level

    def adjust(learner: Any) -> None:
        learner.set_warming(warming)
        learner.set_entropy_coefficient(explorer.coefficient)

    algorithm.learner_group.foreach_learner(adjust)
    level = (ladder.level.stake, ladder.level.goal)
    # Each time, so that a runner that was started anew hears of it too.
    algorithm.env_runner_group.foreach_env_runner(lambda _: set_level(level))


def _won(algorithm: Any, iteration: int) -> tuple[int, int]:
    """How many games the runners have finished since they were asked last, and won; those that
    are kept action by action are told of in the log."""
    from jimbot.training.games import take_kept, take_tally

    tallies = algorithm.env_runner_group.foreach_env_runner(lambda _: (*take_tally(), take_kept()))
    for _, _, kept in tallies:
        for game in kept:
            _log.info("played", extra={"fields": {"game": game, "iteration": iteration}})
    return sum(games for games, _, _ in tallies), sum(won for _, won, _ in tallies)


def _evaluate(
    algorithm: Any, progress: Progress, games: int, appliance: Appliance
) -> TrainingEvaluation | None:
    """Have the runners play the held-out seeds; None when one of them was lost over it."""
    weights = {name: value.numpy() for name, value in _weights(algorithm).items()}
    table = appliance.training
    runners = max(1, algorithm.config.num_env_runners)

    def play(runner: Any) -> list[evaluation.Outcome]:
        number = max(0, runner.worker_index - 1)
        return evaluation.share(weights, number, runners, games, table.decks[0], table.stake)

    shares = algorithm.env_runner_group.foreach_env_runner(
        play, local_env_runner=not algorithm.config.num_env_runners
    )
    found = [outcome for part in shares for outcome in part]
    if len(found) != games:
        _log.warning("%d of %d games of an evaluation were lost", games - len(found), games)
        return None
    return evaluation.summary(
        found,
        run=progress.run,
        iteration=progress.iteration,
        steps=progress.steps,
        stake=table.stake,
    )


def _event(kind: str, payload: TrainingIteration | TrainingEvaluation) -> Event:
    return Event(type=kind, source="trainer", payload=payload.model_dump(exclude_none=True))


def _restore(algorithm: Any, path: Path, seal: checkpoints.Seal) -> Progress:
    try:
        with checkpoints.opened(path, seal) as directory:
            progress = Progress(**json.loads((directory / _PROGRESS).read_text()))
            algorithm.restore_from_path(directory / "algorithm")
        _hand_out(algorithm)
    except TrainingError:
        raise
    except Exception as error:
        raise TrainingError(
            f"checkpoint {path} does not fit this version: {error}",
            hint=f"Move it away to train from the one before, or from the start: {path.parent}",
        ) from error
    return progress


def _save(algorithm: Any, progress: Progress, appliance: Appliance, home: Home) -> Path:
    def write(directory: Path) -> None:
        algorithm.save_to_path(directory / "algorithm")
        (directory / _PROGRESS).write_text(json.dumps(asdict(progress)))

    table = appliance.training
    path = checkpoints.save(
        home.checkpoints,
        progress.steps,
        write,
        keep=table.checkpoints_kept,
        seal=checkpoints.Seal.of(table, home),
    )
    _log.info("saved", extra={"fields": {"checkpoint": path.name, **asdict(progress)}})
    return path


def _figures(result: dict[str, Any], progress: Progress, seconds: float) -> TrainingIteration:
    """Count an iteration, and pick from RLlib's result what we report."""
    played = result.get("env_runners", {})
    learned = result.get("learners", {}).get("default_policy", {})
    steps = int(played.get("num_env_steps_sampled", 0))
    games = int(_finite(played.get("num_episodes")) or 0)
    progress.iteration += 1
    progress.steps += steps
    progress.games += games
    return TrainingIteration(
        run=progress.run,
        iteration=progress.iteration,
        steps=progress.steps,
        games=games,
        return_mean=_finite(played.get("episode_return_mean")),
        loss=_finite(learned.get("total_loss")),
        policy_loss=_finite(learned.get("policy_loss")),
        value_loss=_finite(learned.get("vf_loss")),
        entropy=_finite(learned.get("entropy")),
        kl=_finite(learned.get("kl")),
        steps_per_s=round(steps / seconds, 1),
    )


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
