"""From a checkpoint to the one plain file that plays without Ray and torch.

Neither is needed to export: RLlib keeps the network's weights as a pickle of numpy arrays, and
nothing but those is let out of it.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from jimbot.policy import weights
from jimbot.training import checkpoints
from jimbot.training.errors import TrainingError

# Where `Algorithm.save_to_path` puts the module of the only policy.
MODULE: Final = Path("algorithm/learner_group/learner/rl_module/default_policy/module_state.pkl")
PROGRESS: Final = "progress.json"

_ALLOWED: Final = {
    ("collections", "OrderedDict"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(
        (f"{numpy}.{name}", function)
        for numpy in ("numpy.core", "numpy._core")
        for name, function in (("multiarray", "_reconstruct"), ("numeric", "_frombuffer"))
    ),
}


@dataclass(frozen=True)
class Exported:
    """What was written, and from what."""

    file: Path
    checkpoint: Path
    header: weights.Header
    size: int  # bytes


def export(
    checkpoint: Path,
    file: Path,
    seal: checkpoints.Seal | None = None,
    *,
    mean_with: Sequence[Path] = (),
) -> Exported:
    """Write the policy of a checkpoint to a file, whole or not at all.

    Args:
        seal: opens a checkpoint that is encrypted.
        mean_with: other checkpoints of the same training; what is written is the mean of them all.
            It plays better than the last one where what a training still does is mostly noise.

    Raises:
        TrainingError: a checkpoint is damaged or of another kind; `file` is as it was.
        PolicyFileError: the file cannot be written.
    """
    state, header = _read(checkpoint, seal)
    states = [state]
    for path in mean_with:
        other, its = _read(path, seal)
        if its.progress["run"] != header.progress["run"]:
            raise TrainingError(
                f"{path} and {checkpoint} are of two trainings",
                hint="Leave --mean away, or name fewer checkpoints",
            )
        states.append(other)
    if mean_with:
        state = {
            name: np.stack([each[name] for each in states]).mean(0, np.float64).astype(np.float32)
            for name in state
        }
    data = weights.pack(state, header)
    weights.write(file, data)
    return Exported(file, checkpoint, header, len(data))


def _read(
    checkpoint: Path, seal: checkpoints.Seal | None
) -> tuple[weights.Weights, weights.Header]:
    """The weights of a checkpoint, found to be of the network's shapes, and their header."""
    if not checkpoint.is_dir():
        raise TrainingError(f"there is no checkpoint {checkpoint}", hint=_ANOTHER)
    if problem := checkpoints.damage(checkpoint):
        raise TrainingError(f"checkpoint {checkpoint} is damaged: {problem}", hint=_ANOTHER)
    try:
        with checkpoints.opened(checkpoint, seal) as directory:
            progress = json.loads((directory / PROGRESS).read_text())
            state = _Arrays(io.BytesIO((directory / MODULE).read_bytes())).load()
        header = weights.Header(policy=f"ppo-{progress['steps']}", progress=progress)
        problem = weights.flaw(state)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, EOFError) as error:
        raise TrainingError(
            f"{checkpoint} is no checkpoint of ours: {error}", hint=_ANOTHER
        ) from error
    except pickle.UnpicklingError as error:
        raise TrainingError(
            f"the weights in {checkpoint} cannot be read: {error}", hint=_ANOTHER
        ) from error
    if problem:
        raise TrainingError(f"the weights in {checkpoint} cannot be used: {problem}", hint=_ANOTHER)
    return dict(state), header


def newest(directory: Path, count: int = 1) -> list[Path]:
    """The newest whole checkpoints, newest first.

    Raises:
        TrainingError: there are not so many.
    """
    found = list(islice(checkpoints.whole(directory), count))
    if len(found) == count:
        return found
    if found:
        raise TrainingError(
            f"there are {len(found)} whole checkpoints in {directory}, not {count}",
            hint=f"Take the mean of those: jimbot export --mean {len(found)}",
        )
    raise TrainingError(
        f"there is no whole checkpoint in {directory}",
        hint="Train first, for a minute or more: jimbot up",
    )


_ANOTHER: Final = "Name another one: jimbot export --checkpoint DIR"


class _Arrays(pickle.Unpickler):
    """Loads arrays in dictionaries; whatever else a pickle could run is refused."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds {module_name}.{global_name}, which is no array")
        return super().find_class(module_name, global_name)
