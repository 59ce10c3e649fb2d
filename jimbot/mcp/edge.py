"""mcp on a small machine: the learned policy and a local strategy cache, both out of one bundle.

Nothing here asks anybody else: no gateway, no stores but the event log, no network.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from jimbot.appliance import Appliance, Home, load
from jimbot.appliance import bundle as bundles
from jimbot.appliance.bundle import Manifest
from jimbot.claude import strategies
from jimbot.claude.describe import question
from jimbot.claude.strategies import Strategies
from jimbot.files import write_whole
from jimbot.game import Action, Run
from jimbot.mcp import service
from jimbot.mcp.advice import UNSURE, considered
from jimbot.mcp.decide import Advised
from jimbot.policy.network import NetworkPolicy
from jimbot.policy.weights import FILE_NAME


class CachedAdviser:
    """What was once answered to the same question, or always to its pattern; else nothing."""

    def __init__(self, known: Strategies) -> None:
        self._known = known

    async def close(self) -> None:
        """There is nothing to close."""

    def wants(self, run: Run, confidence: float, left_s: float) -> bool:
        return confidence < UNSURE and bool(self._known.exact or self._known.patterns)

    async def advise(self, run: Run, action: Action, left_s: float, game: str = "") -> Advised:
        legal = considered(run, action)
        found = self._known.index(question(run, legal))
        return Advised(legal[found[0]] if found else None, False)

    def decided(self, game: str, run: Run, action: Action, advised: Advised) -> None:
        """Nobody is told."""

    def over(self, game: str, *, won: bool | None = None, ante: int | None = None) -> None:
        """Nobody is told."""


def unpack(bundle: Path, home: Home) -> tuple[Appliance, Strategies]:
    """Prove a bundle, and put its policy and table into the home, where they are used from.

    The table that it has becomes this process's (`JIMBOT_TABLE`), so that stores follow it too.

    Raises:
        BundleError: the bundle cannot be used.
        PolicyFileError, StoreError, TableError: one of its parts cannot be used here.
        HomeError: the state directory cannot be used.
    """
    _, parts = bundles.read(bundle)
    proved = _prove(parts)
    home.prepare()
    table = home.path / "edge.toml"
    write_whole(table, parts[bundles.TABLE])
    write_whole(home.path / FILE_NAME, parts[bundles.POLICY])
    os.environ["JIMBOT_TABLE"] = str(table)
    return proved


def prove(bundle: Path) -> Manifest:
    """What is in a bundle that can be used here; raises what `unpack` raises, but HomeError."""
    manifest, parts = bundles.read(bundle)
    _prove(parts)
    return manifest


async def run(appliance: Appliance, home: Home, known: Strategies) -> None:
    """Serve as mcp does, until SIGTERM or SIGINT; raises what `jimbot.mcp.service.run` does."""
    policy = home.path / FILE_NAME
    await service.serve(appliance, home, lambda: NetworkPolicy(policy), CachedAdviser(known))


def _prove(parts: Mapping[str, bytes]) -> tuple[Appliance, Strategies]:
    """All of a bundle or nothing: no part is put in place before every one can be used."""
    with tempfile.TemporaryDirectory() as directory:
        table = Path(directory) / bundles.TABLE
        table.write_bytes(parts[bundles.TABLE])
        appliance = load(table)
        policy = Path(directory) / FILE_NAME
        policy.write_bytes(parts[bundles.POLICY])
        NetworkPolicy(policy)
    return appliance, _strategies(parts)


def _strategies(parts: Mapping[str, bytes]) -> Strategies:
    if bundles.STRATEGIES not in parts:
        return Strategies(agreement=1.0)
    return strategies.parse(parts[bundles.STRATEGIES])
