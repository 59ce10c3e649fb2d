"""What the edge needs, put together: the learned policy, Claude's remembered answers, the table."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

from jimbot.appliance import Appliance, Home
from jimbot.appliance import bundle as bundles


class Bundled(NamedTuple):
    """What went into a bundle; `strategies` counts remembered answers."""

    file: Path
    bytes: int
    policy: str
    strategies: int


def make(appliance: Appliance, home: Home, table: Path | None, out: Path) -> Bundled:
    """Write a bundle of what this home has learned.

    Args:
        table: the table's file; the package's when None.

    Raises:
        BundleError: it cannot be written.
        PolicyFileError: there is no learned policy that can be used.
        StoreError: the gateway's cache cannot be read.
    """
    from jimbot.claude import cache, strategies
    from jimbot.claude.service import cache_path
    from jimbot.policy import learned_file, weights

    packaged = resources.files("jimbot.appliance") / "appliance.toml"
    policy = learned_file(home)
    _, header = weights.read(policy)
    limits = appliance.claude
    known = strategies.gather(
        cache.answers(cache_path(home), days=limits.cache_days), limits.cache_agreement
    )
    size = bundles.write(
        out,
        {
            bundles.POLICY: policy.read_bytes(),
            bundles.TABLE: (table or packaged).read_bytes(),
            bundles.STRATEGIES: known.model_dump_json().encode(),
        },
    )
    return Bundled(out, size, header.policy, len(known.exact))
