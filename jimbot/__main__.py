"""`python -m jimbot`, the same as the `jimbot` command."""

from __future__ import annotations

from jimbot.cli import main

main()
