from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns

from jimbot.env.environment import BalatroEnv
from jimbot.policy import layout
from jimbot.training.learner import divergence
from jimbot.training.module import ILLEGAL, RowsModule


@pytest.fixture(scope="module")
def module() -> RowsModule:
    torch.manual_seed(0)
    env = BalatroEnv()
    return RowsModule(
        observation_space=env.observation_space,
        action_space=env.action_space,
        model_config={"width": 16, "embedding": 4},
        catalog_class=None,
    )


@pytest.fixture(scope="module")
def batch() -> dict[str, dict[str, torch.Tensor]]:
    env = BalatroEnv()
    rng = np.random.default_rng(1)
    seen, _ = env.reset(seed=1)
    seens = []
    for _ in range(24):
        seens.append(seen)
        seen, _, over, _, _ = env.step(rng.choice(np.flatnonzero(seen["action_mask"])))
        if over:
            seen, _ = env.reset()
    return {Columns.OBS: {key: torch.tensor(np.stack([s[key] for s in seens])) for key in seens[0]}}


def test_only_legal_rows_have_a_chance(module: RowsModule, batch: dict) -> None:
    logits = module._forward(batch)[Columns.ACTION_DIST_INPUTS]
    assert logits.shape == (24, layout.ROWS)
    legal = batch[Columns.OBS]["action_mask"] > 0
    assert (logits[~legal] == ILLEGAL).all()
    chances = torch.softmax(logits, -1)
    assert (chances[~legal] == 0).all()
    assert torch.isfinite(chances).all()
    actions = gym_actions(module, logits)
    assert legal[torch.arange(24), actions].all()


def gym_actions(module: RowsModule, logits: torch.Tensor) -> torch.Tensor:
    distribution = module.get_exploration_action_dist_cls().from_logits(logits)
    return torch.as_tensor(distribution.sample())


def test_losses_of_masked_distributions_are_finite(module: RowsModule, batch: dict) -> None:
    out = module._forward_train(batch)
    kind = module.get_train_action_dist_cls()
    now = kind.from_logits(out[Columns.ACTION_DIST_INPUTS])
    loss = now.entropy().mean() + now.kl(now).mean() + module.compute_values(batch).mean()
    module.zero_grad()
    loss.backward()
    assert torch.isfinite(loss)
    for name, weight in module.named_parameters():
        assert weight.grad is None or torch.isfinite(weight.grad).all(), name


def test_how_far_an_update_moved_the_policy_is_told(module: RowsModule, batch: dict) -> None:
    """The estimate from many played actions is the exact divergence; of no update it is 0."""
    kind = module.get_train_action_dist_cls()
    old = module._forward(batch)[Columns.ACTION_DIST_INPUTS].detach()
    legal = batch[Columns.OBS]["action_mask"] > 0
    torch.manual_seed(3)
    new = torch.where(legal, old + 0.5 * torch.randn_like(old), old)
    times = 4000
    played = kind.from_logits(old.repeat(times, 1))
    actions = torch.as_tensor(played.sample())
    told = {Columns.ACTIONS: actions, Columns.ACTION_LOGP: played.logp(actions)}
    found = divergence(module, told, new.repeat(times, 1))
    chances = torch.softmax(old, -1)
    change = torch.log_softmax(old, -1) - torch.log_softmax(new, -1)
    exact = torch.where(legal, chances * change, torch.zeros_like(old)).sum(-1).mean()
    assert exact > 0.05
    assert float(found) == pytest.approx(float(exact), rel=0.03)
    assert float(divergence(module, told, old.repeat(times, 1))) == pytest.approx(0, abs=1e-7)
    masked = told | {Columns.LOSS_MASK: torch.arange(len(actions)) < 24}
    first = {name: value[:24] for name, value in told.items()}
    assert divergence(module, masked, new.repeat(times, 1)) == divergence(module, first, new)


def test_values_are_the_same_with_and_without_embeddings(module: RowsModule, batch: dict) -> None:
    out = module._forward_train(batch)
    alone = module.compute_values(batch)
    assert alone.shape == (24,)
    assert torch.allclose(alone, module.compute_values(batch, out[Columns.EMBEDDINGS]))


def test_a_row_is_scored_by_what_it_is_not_by_its_place(module: RowsModule, batch: dict) -> None:
    """Two rows of a block that change places change scores with each other."""
    seen = {key: value.clone() for key, value in batch[Columns.OBS].items()}
    both = seen["action_mask"][:, :2].sum(1) == 2
    assert both.any()
    before = module._forward({Columns.OBS: seen})[Columns.ACTION_DIST_INPUTS]
    for key in ("rows", "items"):
        seen[key][:, [0, 1]] = seen[key][:, [1, 0]]
    after = module._forward({Columns.OBS: seen})[Columns.ACTION_DIST_INPUTS]
    assert torch.allclose(before[both][:, 0], after[both][:, 1], atol=1e-5)


def test_preparing_starts_out_unlikely(module: RowsModule, batch: dict) -> None:
    chances = torch.softmax(module._forward(batch)[Columns.ACTION_DIST_INPUTS], -1)
    toggles = slice(layout.TOGGLE_CARD, layout.TOGGLE_CARD + layout.CARD_SLOTS)
    playing = batch[Columns.OBS]["action_mask"][:, layout.PLAY] > 0
    assert chances[playing][:, toggles].sum(1).max() < 0.15


def test_the_spaces_are_the_environments(module: RowsModule) -> None:
    assert isinstance(module.observation_space, gym.spaces.Dict)
