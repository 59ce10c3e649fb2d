"""Ray's worker process with a runner's modules imported before there is anything to run.

The head starts as many as there are runners when the trainer connects; they import while the
trainer does, which is seconds saved at each start.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    # What Ray would set for a runner of one core, but only after torch has looked.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Ray runs this file by its path; ours and Ray's packages must be found as ever.
    sys.path[0] = str(Path(__file__).parents[2])
    import ray._private.workers as workers
    import ray.rllib.env.single_agent_env_runner  # noqa: F401

    import jimbot.training.games
    import jimbot.training.module  # noqa: F401

    runpy.run_path(f"{workers.__path__[0]}/default_worker.py", run_name="__main__")
