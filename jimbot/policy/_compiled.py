"""Finding the compiled form of this package's rows and proposals, and refusing a stale one.

`python -m jimbot.game._build` compiles the modules named here together with the game, into
`_native/` here and there. They are used only while the game runs compiled by the same build and
their sources are still those that were compiled; JIMBOT_GAME chooses as for the game.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from pathlib import Path

from jimbot.game import _compiled as game

MODULES = ("candidates", "imagine", "layout", "prospects", "rows")

SOURCES = Path(__file__).parent
NATIVE = SOURCES / "_native"
MANIFEST = NATIVE / "manifest.json"


def source_digests() -> dict[str, str]:
    """The digest of every source that is compiled."""
    return {
        name: hashlib.blake2b((SOURCES / f"{name}.py").read_bytes(), digest_size=16).hexdigest()
        for name in MODULES
    }


def why_plain() -> str:
    """Why the compiled form cannot be used; empty when it can."""
    try:
        build = json.loads(game.MANIFEST.read_text()).get("build")
        manifest = json.loads(MANIFEST.read_text())
    except FileNotFoundError:
        return "not compiled"
    except (OSError, ValueError, AttributeError) as error:
        return f"its manifest cannot be read: {error}"
    if not isinstance(manifest, dict) or build is None or manifest.get("build") != build:
        return "it was not compiled together with the game"
    if manifest.get("sources") != source_digests():
        return "its sources have changed since it was compiled"
    return ""


def choose_form() -> bool:
    """Let the package find its compiled modules first, if they are fresh; whether it will."""
    if not game.COMPILED:
        return False
    reason = why_plain()
    if not reason:
        sys.modules["jimbot.policy"].__path__.insert(0, str(NATIVE))
        return True
    hint = "run: make compile"
    if os.environ.get("JIMBOT_GAME") == "compiled":
        raise ImportError(f"jimbot.policy cannot run compiled: {reason}; {hint}")
    if reason != "not compiled":
        warnings.warn(f"jimbot.policy runs as plain Python: {reason}; {hint}", stacklevel=3)
    return False


COMPILED = choose_form()
