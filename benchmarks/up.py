"""How long `jimbot up` takes to be healthy, what its services weigh, and what training plays.

Runs the real appliance for two minutes on free ports in a temporary home. Prints one JSON object:
`healthy_after_s`, `core_rss_mb` (mcp, analytics and claude together, at their peak),
`games_per_hour` (games finished after it was healthy), `help_s` (median of `jimbot --help`).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import table_on_free_ports

SECONDS = 120
JIMBOT = [sys.executable, "-m", "jimbot"]


def main() -> None:
    helps = []
    for _ in range(7):
        began = time.perf_counter()
        subprocess.run([*JIMBOT, "--help"], check=True, stdout=subprocess.DEVNULL)
        helps.append(time.perf_counter() - began)
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {
            "JIMBOT_HOME": f"{directory}/home",
            "JIMBOT_TABLE": str(table_on_free_ports(Path(directory))),
        }
        up = [*JIMBOT, "up", "--for", f"{SECONDS}s", "--json"]
        run = subprocess.run(up, check=True, env=environment, stdout=subprocess.PIPE)
        summary = json.loads(run.stdout)
    playing = SECONDS - summary["healthy_after_s"]
    figures = {
        "healthy_after_s": summary["healthy_after_s"],
        "core_rss_mb": sum(summary["peak_rss_mb"][s] for s in ("mcp", "analytics", "claude")),
        "games_per_hour": round(summary["games_finished"] / playing * 3600),
        "help_s": round(statistics.median(helps), 3),
        "summary": summary,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
