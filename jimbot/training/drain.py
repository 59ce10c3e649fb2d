"""Ending without breaking a game off: `jimbot drain` and `jimbot deploy` ask for it by SIGUSR1."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

_log = logging.getLogger(__name__)

# Kept back from the time that the table gives, for the checkpoint and for Ray's end.
_RESERVE_S: Final = 10.0

wanted: Final = threading.Event()
"""Set once this process shall let its games finish before it ends."""


def begin(stop: threading.Event) -> None:
    """Have training end after this iteration, once the games under way are finished."""
    wanted.set()
    stop.set()


def finish(algorithm: Any, within_s: float) -> int:
    """Let every runner finish the games it is playing; how many were not over in time."""
    began = time.monotonic()
    left = within_s - _RESERVE_S
    unfinished = algorithm.env_runner_group.foreach_env_runner(
        lambda runner: finish_games(runner, left), local_env_runner=False, timeout_seconds=within_s
    )
    took = round(time.monotonic() - began, 1)
    _log.info("drained", extra={"fields": {"unfinished": sum(unfinished), "seconds": took}})
    return sum(unfinished)


def finish_games(runner: Any, within_s: float) -> int:
    """Play on until every game that is under way now is over; how many are not in time.

    Those that begin in the place of finished ones are dropped: a game leaves nothing in the log
    before its end.
    """
    under_way = {episode.id_ for episode in runner._ongoing_episodes}
    deadline = time.monotonic() + within_s
    while under_way and time.monotonic() < deadline:
        runner.sample(num_timesteps=runner.num_envs)
        under_way &= {episode.id_ for episode in runner._ongoing_episodes}
    return len(under_way)
