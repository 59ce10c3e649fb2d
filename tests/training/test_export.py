"""From a checkpoint to a file that plays like the torch module."""

from __future__ import annotations

import json
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

import jimbot.policy as policy_room
from jimbot.appliance import Home
from jimbot.cli.export import command
from jimbot.env.environment import BalatroEnv
from jimbot.policy import weights
from jimbot.policy.network import Network, NetworkPolicy
from jimbot.policy.weights import FILE_NAME
from jimbot.training import checkpoints, export
from jimbot.training.errors import TrainingError
from jimbot.training.module import ILLEGAL, SIZE, RowsModule
from tests.policy.networks import untrained
from tests.policy.test_network import moments
from tests.training.conftest import export_command

# Scores and values of the two differ by the order of float32 sums alone: by less than this part of
# the largest, or of one. Where torch's two best rows lie closer than that, either is right; that
# happens where rows are the same in all that is known of them, as two equal consumables are.
TOLERANCE = 1e-5
# By the observation's key, the observer's array.
KEYS = {
    "action_mask": "mask",
    "rows": "rows",
    "items": "items",
    "owned": "owned",
    "state": "state",
}


def rows_module(width: int, embedding: int) -> RowsModule:
    env = BalatroEnv()
    return RowsModule(
        observation_space=env.observation_space,
        action_space=env.action_space,
        model_config={"width": width, "embedding": embedding},
        catalog_class=None,
    )


def state_of(module: RowsModule) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


def with_weights(arrays: weights.Weights, width: int, embedding: int) -> RowsModule:
    module = rows_module(width, embedding)
    module.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
    return module


def compare(arrays: weights.Weights, width: int, embedding: int, states: int) -> None:
    """The same scores, values and choices on so many states, of games of every deck and stake."""
    module, network = with_weights(arrays, width, embedding), Network(arrays)
    compared = game = close = 0
    while compared < states:
        seen = []
        judged = []
        for _, observer in moments(game):
            seen.append({key: getattr(observer, name).copy() for key, name in KEYS.items()})
            judged.append(network.evaluate(observer))
        batch = {
            Columns.OBS: {key: torch.tensor(np.stack([each[key] for each in seen])) for key in KEYS}
        }
        with torch.no_grad():
            logits = module._forward(batch)[Columns.ACTION_DIST_INPUTS].numpy()
            values = module.compute_values(batch).numpy()
        for (rows, scores, value), torchs, wanted in zip(judged, logits, values, strict=True):
            assert list(rows) == list(np.flatnonzero(torchs > ILLEGAL))
            allowed = TOLERANCE * max(1.0, np.abs(torchs[rows]).max())
            assert np.abs(scores - torchs[rows]).max() < allowed
            assert abs(value - wanted) < TOLERANCE * max(1.0, abs(wanted))
            mine, other = rows[scores.argmax()], torchs.argmax()
            if mine != other:
                close += 1
                assert torchs[other] - torchs[mine] < 2 * allowed
        game += 1
        compared += len(seen)
    assert close <= 1 + compared // 500  # or they say nothing of each other


def test_a_file_holds_what_the_module_holds() -> None:
    shapes = {name: array.shape for name, array in state_of(rows_module(16, 4)).items()}
    assert shapes == weights.shapes(16, 4)


def test_an_untrained_module_chooses_the_same() -> None:
    torch.manual_seed(1)
    compare(state_of(rows_module(16, 4)), 16, 4, 300)


def test_numpy_chooses_what_torch_chooses() -> None:
    compare(untrained(2, width=64, embedding=16), 64, 16, 600)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_numpy_chooses_what_torch_chooses_on_10_000_states() -> None:
    compare(untrained(3, width=64, embedding=16), 64, 16, 10_000)


SHIPPED = Path(policy_room.__file__).parent / policy_room.SHIPPED


def test_the_shipped_policy_chooses_what_torch_chooses() -> None:
    arrays, _ = weights.read(SHIPPED)
    compare(arrays, SIZE["width"], SIZE["embedding"], 600)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_shipped_policy_chooses_what_torch_chooses_on_10_000_states() -> None:
    arrays, _ = weights.read(SHIPPED)
    compare(arrays, SIZE["width"], SIZE["embedding"], 10_000)


def test_weights_that_rllib_has_saved_are_read(home: Home, tmp_path: Path) -> None:
    module = rows_module(16, 4)
    module.save_to_path(tmp_path / "module")
    saved = (tmp_path / "module" / export.MODULE.name).read_bytes()
    file = home.path / FILE_NAME
    export.export(checkpoint(home, 100, saved), file)
    written, _ = weights.read(file)
    for name, array in state_of(module).items():
        assert (written[name] == array).all(), name


def test_the_mean_of_the_newest_checkpoints_is_written(home: Home) -> None:
    states = [untrained(seed) for seed in range(3)]
    for steps, state in enumerate(states, 1):
        checkpoint(home, steps, state)
    export_command(home, "--mean", "2")
    written, header = weights.read(home.path / FILE_NAME)
    assert header.policy == "ppo-3"
    for name, array in written.items():
        assert np.allclose(array, (states[1][name] + states[2][name]) / 2, atol=1e-7), name


def test_what_has_no_mean_is_refused(home: Home) -> None:
    file = home.path / FILE_NAME
    first = checkpoint(home, 1, untrained(1))
    with pytest.raises(TrainingError, match=r"1 whole checkpoints .* not 2") as few:
        export.newest(home.checkpoints, 2)
    assert "--mean 1" in few.value.hint
    other = {"run": "another", "iteration": 3, "steps": 2, "games": 40}
    second = checkpoint(home, 2, untrained(2), other)
    with pytest.raises(TrainingError, match="two trainings"):
        export.export(second, file, mean_with=[first])
    assert not file.exists()


def checkpoint(home: Home, steps: int, state: Any, progress: Any = None) -> Path:
    """A checkpoint with what an export reads of it."""

    def write(path: Path) -> None:
        module = path / export.MODULE
        module.parent.mkdir(parents=True)
        module.write_bytes(state if isinstance(state, bytes) else pickle.dumps(state))
        told = {"run": "r", "iteration": 3, "steps": steps, "games": 40}
        (path / export.PROGRESS).write_text(json.dumps(progress or told))

    return checkpoints.save(home.checkpoints, steps, write, keep=9)


def test_the_command_exports_the_newest_whole_checkpoint(home: Home) -> None:
    arrays = untrained()
    checkpoint(home, 100, untrained(1))
    newest = checkpoint(home, 200, OrderedDict(arrays))
    damaged = checkpoint(home, 300, untrained(2))
    (damaged / export.PROGRESS).write_text("{}")
    done = export_command(home, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["checkpoint"] == str(newest)
    assert told["progress"]["games"] == 40
    file = home.path / FILE_NAME
    assert told["file"] == str(file)
    assert told["bytes"] == file.stat().st_size
    written, header = weights.read(file)
    assert header.policy == told["policy"] == "ppo-200"
    assert all((written[name] == array).all() for name, array in arrays.items())
    assert NetworkPolicy(file).name == "ppo-200"


def test_another_checkpoint_and_place_can_be_named(home: Home, tmp_path: Path) -> None:
    older = checkpoint(home, 100, untrained(1))
    checkpoint(home, 200, untrained())
    out = tmp_path / "some" / "where.npz"
    done = export_command(home, "--checkpoint", str(older), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert str(out) in done.stdout
    assert "ppo-100" in done.stdout
    assert weights.read(out)[1].progress["steps"] == 100
    assert not (home.path / FILE_NAME).exists()


def test_no_checkpoint_says_how_to_get_one(home: Home) -> None:
    done = export_command(home)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "no whole checkpoint" in done.stderr
    assert "jimbot up" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_encrypted_checkpoint_is_exported_with_its_key(home: Home, tmp_path: Path) -> None:
    pyrage = pytest.importorskip("pyrage")
    key = pyrage.x25519.Identity.generate()
    identity = home.path / "secrets" / "checkpoint-identity"
    identity.parent.mkdir(exist_ok=True)
    identity.write_text(str(key))
    identity.chmod(0o600)
    arrays = untrained()

    def write(path: Path) -> None:
        module = path / export.MODULE
        module.parent.mkdir(parents=True)
        module.write_bytes(pickle.dumps(arrays))
        (path / export.PROGRESS).write_text(json.dumps({"steps": 100}))

    seal = checkpoints.Seal(str(key.to_public()))
    checkpoints.save(home.checkpoints, 100, write, keep=9, seal=seal)
    done = export_command(home)
    assert done.returncode == 0, done.stderr
    written, _ = weights.read(home.path / FILE_NAME)
    assert all((written[name] == array).all() for name, array in arrays.items())
    identity.unlink()
    done = export_command(home)
    assert done.returncode == 2
    assert "age identity" in done.stderr


class Evil:
    def __reduce__(self) -> Any:
        return print, ("run",)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"score.weight": Evil()}, "builtins.print, which is no array"),
        (b"no pickle", "cannot be read|no checkpoint of ours"),
        (b"", "no checkpoint of ours"),
        (["a list"], "no checkpoint of ours|another network"),
        ({"score.weight": "text"}, "another network"),
        ({**untrained(), "score.bias": "text"}, "no checkpoint of ours|score.bias"),
        ({**untrained(), "score.bias": np.full(1, np.inf, np.float32)}, "no numbers"),
    ],
)
def test_weights_that_are_none_are_refused_and_the_old_file_stays(
    home: Home, state: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home.path / FILE_NAME
    file.write_bytes(b"as it was")
    with pytest.raises(TrainingError, match=reason):
        export.export(checkpoint(home, 100, state), file)
    assert file.read_bytes() == b"as it was"
    assert "run" not in capsys.readouterr().out


@pytest.mark.parametrize("progress", [{"iteration": 1}, ["list"]])
def test_progress_that_is_none_is_refused(home: Home, progress: Any) -> None:
    with pytest.raises(TrainingError, match="no checkpoint of ours"):
        export.export(checkpoint(home, 100, untrained(), progress), home.path / FILE_NAME)


def test_a_damaged_checkpoint_that_is_named_is_refused(home: Home) -> None:
    path = checkpoint(home, 100, untrained())
    (path / export.MODULE).unlink()
    with pytest.raises(TrainingError, match=r"is damaged: .*module_state.pkl is missing"):
        export.export(path, home.path / FILE_NAME)


def test_a_checkpoint_that_is_not_there_is_named(home: Home) -> None:
    with pytest.raises(TrainingError, match=r"there is no checkpoint .*nowhere.*--checkpoint DIR"):
        export.export(home.checkpoints / "nowhere", home.path / FILE_NAME)


def test_help_says_what_is_written() -> None:
    text = command.get_help(command.make_context("export", [], obj=None))
    assert "policy.npz" in text
    assert "--policy latest" in text
