"""Finding the compiled form of this package, and refusing a stale one.

`python -m jimbot.game._build` compiles the modules named here with mypyc into `_native/`, beside a
manifest with the digests of the sources it compiled. At import the package looks for its modules
there first, but only while every source is still the one that was compiled; otherwise the same
sources run as plain Python, about ten times slower, and a warning says why.

The environment variable JIMBOT_GAME chooses: `plain` never uses the compiled form, `compiled` fails
without a fresh one, unset takes what is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import MutableSequence
from pathlib import Path

# Data, errors and enumerations stay plain; all else is compiled, together.
MODULES = (
    "analyser",
    "bosses",
    "cards",
    "consumables",
    "copying",
    "create",
    "decks",
    "events",
    "hands",
    "jokers",
    "packs",
    "planets",
    "rng",
    "rounds",
    "rules",
    "run",
    "sampling",
    "scoring",
    "shop",
    "spectrals",
    "stakes",
    "state",
    "tags",
    "tarots",
    "uses",
    "vouchers",
)
# Not compiled, but compiled modules hold what these say.
BAKED_IN = ("actions", "catalogue", "errors")

SOURCES = Path(__file__).parent
NATIVE = SOURCES / "_native"
MANIFEST = NATIVE / "manifest.json"


def source_digests() -> dict[str, str]:
    """The digest of every source that the compiled form depends on."""
    return {
        name: hashlib.blake2b((SOURCES / f"{name}.py").read_bytes(), digest_size=16).hexdigest()
        for name in (*MODULES, *BAKED_IN)
    }


def platform_tag() -> str:
    """What a compiled module was built for."""
    return f"{sys.implementation.cache_tag}-{sys.platform}"


def why_plain() -> str:
    """Why the compiled form cannot be used; empty when it can."""
    try:
        manifest = json.loads(MANIFEST.read_text())
    except FileNotFoundError:
        return "not compiled"
    except (OSError, ValueError) as error:
        return f"its manifest cannot be read: {error}"
    if not isinstance(manifest, dict) or manifest.get("platform") != platform_tag():
        return f"it was compiled for another Python than {platform_tag()}"
    if manifest.get("sources") != source_digests():
        return "its sources have changed since it was compiled"
    return ""


def choose_form(package_path: MutableSequence[str]) -> bool:
    """Let the package find its compiled modules first, if they are fresh; whether it will."""
    wish = os.environ.get("JIMBOT_GAME", "")
    if wish == "plain":
        return False
    reason = why_plain()
    if not reason:
        package_path.insert(0, str(NATIVE))
        return True
    hint = "run: make compile"
    if wish == "compiled":
        raise ImportError(f"jimbot.game cannot run compiled: {reason}; {hint}")
    if reason != "not compiled":
        warnings.warn(f"jimbot.game runs as plain Python: {reason}; {hint}", stacklevel=3)
    return False


COMPILED = choose_form(sys.modules["jimbot.game"].__path__)
