from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.guarded import Guarded


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path / "guarded")
