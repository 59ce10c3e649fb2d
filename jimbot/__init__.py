"""JimBot trains an agent to play Balatro, plays the real game with it, and looks after itself."""

from __future__ import annotations

__version__ = "0.1.0"
