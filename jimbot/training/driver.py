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
from jimbot.appliance.model import TrainingShare
from jimbot.events.event import Event
from jimbot.events.payloads import TRAINING_ITERATION, TrainingIteration
from jimbot.mcp.client import EventClient
from jimbot.training import checkpoints, cluster
from jimbot.training.errors import TrainingError

_log = logging.getLogger(__name__)

CONNECT_S: Final = 60.0
FLUSH_S: Final = 1.0
_PROGRESS = "progress.json"


@dataclass
class Progress:
    """How far training is; kept in each checkpoint."""

    run: str = field(default_factory=lambda: f"{int(time.time()):x}-{uuid.uuid4().hex[:6]}")
    iteration: int = 0
    steps: int = 0
    games: int = 0


@dataclass
class Status:
    """What the service tells of the training thread; written by that thread alone."""

    stage: str = "importing"
    progress: Progress | None = None
    resumed_from: str = ""
    checkpoint: str = ""
    last_iteration: float = 0.0  # time.monotonic()
    iteration_s: float = 0.0


def train(
    appliance: Appliance,
    home: Home,
    profile_name: str,
    *,
    stop: threading.Event,
    status: Status,
    connected: Callable[[], object] = lambda: None,
    iterated: Callable[[TrainingIteration], object] = lambda _: None,
) -> Progress:
    """Train until `stop` is set, from the newest whole checkpoint if there is one.

    Args:
        connected: called once Ray is there, which has taken over this process's signals.
        iterated: called with each iteration's figures.

    Raises:
        MissingExtra: Ray is not installed.
        TrainingError: Ray does not come up, or a checkpoint does not fit.
    """
    share = appliance.profiles[profile_name].training
    events = appliance.url("mcp", "websocket", scheme="ws")

    # 1. Connect.
    began = time.monotonic()
    status.stage = "waiting for Ray"
    cluster.environment(home)
    if not cluster.connect(appliance, home, timeout_s=CONNECT_S, stopped=stop.is_set):
        return Progress()
    connected()
    import ray

    reached = time.monotonic()

    client = EventClient(events, journal=home.acknowledged)
    algorithm = None
    try:
        # 2. Build the algorithm.
        status.stage = "building the algorithm"
        context = {
            "deck": appliance.training.deck,
            "stake": appliance.training.stake,
            "events": events,
            "journal": str(home.acknowledged),
            "record_one_in": appliance.training.record_one_in,
        }
        vram = appliance.service("trainer").vram_mb / appliance.machine.vram_mb
        config = configure(share, context, home, vram_fraction=vram)
        imported = time.monotonic()
        algorithm = config.build_algo(use_copy=False)
        took = {
            "connect_s": round(reached - began, 2),
            "import_s": round(imported - reached, 2),
            "build_s": round(time.monotonic() - imported, 2),
        }
        _log.info("ready", extra={"fields": took})

        # 3. Resume.
        checkpoints.sweep(home.checkpoints)
        progress = Progress()
        if found := checkpoints.newest(home.checkpoints):
            progress = _restore(algorithm, found)
            status.resumed_from = found.name
            _log.info("resumed", extra={"fields": {"checkpoint": found.name, **asdict(progress)}})
        status.progress = progress

        # 4. Train, report, and save from time to time.
        status.stage = "training"
        status.last_iteration = saved = time.monotonic()
        last_saved = progress.steps if status.resumed_from else -1
        while not stop.is_set():
            started = time.monotonic()
            result = algorithm.train()
            now = time.monotonic()
            if not (result.get("env_runners") or {}).get("num_env_steps_sampled"):
                _log.warning("the runners gave nothing for %.0f s", now - started)
                continue
            figures = _figures(result, progress, now - started)
            client.send(
                Event(
                    type=TRAINING_ITERATION,
                    source="trainer",
                    payload=figures.model_dump(exclude_none=True),
                )
            )
            status.last_iteration, status.iteration_s = now, now - started
            iterated(figures)
            if now - saved > appliance.training.checkpoint_minutes * 60:
                status.checkpoint = _save(algorithm, progress, appliance, home).name
                saved, last_saved = now, progress.steps
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
        client.close(FLUSH_S)
        ray.shutdown()


def configure(
    share: TrainingShare, context: dict[str, Any], home: Home, *, vram_fraction: float = 1.0
) -> Any:
    """RLlib's PPO, sized by a profile's share; `context` is what `games.make_env` takes."""
    import torch
    from ray.rllib.algorithms.ppo import PPO, PPOConfig
    from ray.rllib.core.rl_module.rl_module import RLModuleSpec
    from ray.tune.registry import register_env

    from jimbot.env import ENV_ID
    from jimbot.training.games import make_env
    from jimbot.training.module import RowsModule

    class Training(PPO):  # type: ignore[misc]
        def _setup_logdir(self) -> None:
            """Not into ~/ray_results: figures go to the event log."""
            self._logdir = str(home.logs)

    # The network is too small for a second thread to pay, and on a busy machine threads that wait
    # for each other cost ten times what they bring.
    torch.set_num_threads(1)
    gpu = torch.cuda.is_available()
    if gpu:
        torch.cuda.set_per_process_memory_fraction(vram_fraction)
    register_env(ENV_ID, make_env)
    return (
        PPOConfig(algo_class=Training)
        .environment(ENV_ID, env_config=context, disable_env_checking=True)
        .env_runners(
            num_env_runners=share.env_runners,
            num_envs_per_env_runner=share.envs_per_runner,
            rollout_fragment_length="auto",
        )
        .learners(num_learners=0, num_gpus_per_learner=1 if gpu else 0)
        .rl_module(
            rl_module_spec=RLModuleSpec(
                module_class=RowsModule, model_config={"width": 64, "embedding": 16}
            )
        )
        .training(
            train_batch_size_per_learner=share.batch,
            minibatch_size=share.minibatch,
            num_epochs=share.epochs,
            lr=3e-4,
            gamma=0.995,
            lambda_=0.95,
            clip_param=0.2,
            vf_clip_param=1000.0,
            vf_loss_coeff=0.5,
            entropy_coeff=0.01,
            use_kl_loss=False,
            grad_clip=0.5,
        )
        .debugging(log_sys_usage=False, log_level="ERROR")
    )


def _restore(algorithm: Any, path: Path) -> Progress:
    try:
        progress = Progress(**json.loads((path / _PROGRESS).read_text()))
        algorithm.restore_from_path(path / "algorithm")
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

    path = checkpoints.save(
        home.checkpoints, progress.steps, write, keep=appliance.training.checkpoints_kept
    )
    _log.info("saved", extra={"fields": {"checkpoint": path.name, **asdict(progress)}})
    return path


def _figures(result: dict[str, Any], progress: Progress, seconds: float) -> TrainingIteration:
    """Count an iteration, and pick from RLlib's result what we report."""
    played = result.get("env_runners", {})
    learned = result.get("learners", {}).get("default_policy", {})
    steps = int(played.get("num_env_steps_sampled", 0))
    games = int(played.get("num_episodes", 0))
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
        kl=_finite(learned.get("mean_kl_loss")),
        steps_per_s=round(steps / seconds, 1),
    )


def _finite(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
