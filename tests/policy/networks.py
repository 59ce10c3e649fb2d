"""Weights and files of networks that nobody trained, for tests and benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jimbot.policy import layout
from jimbot.policy.weights import Header, Weights, pack, shapes


def untrained(seed: int = 0, *, width: int = 16, embedding: int = 4) -> Weights:
    """Random weights of which each matters, so that scores are far apart; preparing is unlikely."""
    rng = np.random.default_rng(seed)
    weights = {
        name: rng.normal(0, 1.5 / np.sqrt(shape[-1]), shape).astype(np.float32)
        for name, shape in shapes(width, embedding).items()
    }
    weights["block_bias.weight"][:] = 0
    for number, name in enumerate(layout.BLOCKS):
        if name in layout.PREPARING:
            weights["block_bias.weight"][number] = -3
    return weights


def exported(path: Path, weights: Weights | None = None) -> Path:
    """A file as `jimbot export` writes it."""
    progress = {"run": "test", "iteration": 2, "steps": 700, "games": 30}
    data = pack(weights or untrained(), Header(policy="ppo-700", progress=progress))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
