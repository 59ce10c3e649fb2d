"""A Ray cluster of three nodes on this machine that loses one in the middle of its work.

`python -m tests.operations.ray_nodes HOME` prints one JSON object. A process of its own, since Ray
reads the token's settings when it is imported.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jimbot.appliance import Home
from jimbot.training import cluster

GAMES = 24


def play(number: int) -> tuple[int, int, int]:
    """One whole game on a seed of its own: its number, the ante reached, how many actions."""
    from jimbot.game import Run
    from jimbot.policy import make

    run, policy, actions = Run(f"NODE{number:04d}", "Red", "White"), make("random", seed=number), 0
    while not run.over and actions < 2000:
        run.step(policy.act(run))
        actions += 1
    return number, run.ante, actions


def patiently(start: Callable[[], Any]) -> Any:
    """A node gives up after 30 s, whatever else the machine has to do."""
    for attempt in range(4):
        try:
            return start()
        except Exception as error:
            if "timed out during startup" not in str(error) or attempt == 3:
                raise
    raise AssertionError


def main(home: Home) -> dict[str, Any]:
    home.prepare()
    cluster.environment(home)
    import ray
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

    # As in training/ray_head.py: on a busy machine what is not needed keeps a node from coming up.
    Node.start_api_server = lambda self, **_: None
    small = {
        "num_cpus": 1,
        "object_store_memory": 80 << 20,
        "include_dashboard": False,
        "include_log_monitor": False,
        "no_monitor": True,
    }
    nodes = Cluster()
    try:
        patiently(lambda: nodes.add_node(**{**small, "num_cpus": 0}))
        workers = [patiently(lambda: nodes.add_node(**small)) for _ in range(2)]
        ray.init(address=nodes.address, log_to_driver=False)
        nodes.wait_for_nodes()
        before = len([each for each in ray.nodes() if each["Alive"]])

        @ray.remote(num_cpus=1, max_retries=5)
        def remote(number: int) -> tuple[int, int, int, str]:
            time.sleep(0.3)  # so that there is a middle
            return *play(number), ray.get_runtime_context().get_node_id()

        waiting = [remote.remote(number) for number in range(GAMES)]
        first, _ = ray.wait(waiting, num_returns=4, timeout=60)
        lost = workers[0]
        for processes in lost.all_processes.values():
            for each in processes:
                os.kill(each.process.pid, signal.SIGKILL)
        done = ray.get(waiting, timeout=60)
        deadline = time.monotonic() + 30
        while (after := sum(each["Alive"] for each in ray.nodes())) == before:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        return {
            "before": before,
            "done_before_the_loss": len(first),
            "after": after,
            "games": [list(each[:3]) for each in done],
            "nodes_used": len({each[3] for each in done}),
        }
    finally:
        ray.shutdown()
        nodes.shutdown()


if __name__ == "__main__":
    print(json.dumps(main(Home(Path(sys.argv[1])))))
