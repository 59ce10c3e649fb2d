"""A decision of the learned policy on one core, the process that makes it, and its import.

`python -m benchmarks.decision [--file FILE]`. Without a file the network is one of the size that
is trained, with random weights: it costs the same. The states are those of games that the
heuristic plays, on every deck and stake, so that jokers and full shops count.

Decisions are timed by the processor's clock, which the targets are for, so that other work on the
machine counts little; by the wall's too, which tells how busy it was.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.policy.networks import exported, untrained

STATES = 10_000
IMPORTS = 7
# Of RLlib's module, see `training.driver.configure`.
WIDTH, EMBEDDING = 64, 16


class Timed:
    """Seconds of each call, by two clocks."""

    def __init__(self) -> None:
        self.processor: list[float] = []
        self.wall: list[float] = []

    def __call__(self, call: Callable[[], object]) -> None:
        wall, processor = time.perf_counter(), time.process_time()
        call()
        self.processor.append(time.process_time() - processor)
        self.wall.append(time.perf_counter() - wall)

    def __str__(self) -> str:
        wall = quantile(self.wall, 0.99)
        return (
            f"p50 {quantile(self.processor, 0.5):.3f} ms, p99 {self.p99:.3f} ms (target 5), "
            f"worst {max(self.processor) * 1000:.1f} ms; by the wall p99 {wall:.3f} ms"
        )

    @property
    def p99(self) -> float:
        """In milliseconds."""
        return quantile(self.processor, 0.99)


def quantile(seconds: list[float], part: float) -> float:
    """In milliseconds."""
    return sorted(seconds)[int(part * (len(seconds) - 1))] * 1000


def decide(file: Path) -> tuple[Timed, Timed, float, float]:
    """Decisions without and with the observation, seconds a game, megabytes at the end."""
    import psutil

    from jimbot.game import DECKS, STAKES, Run, random_seed
    from jimbot.policy import make
    from jimbot.policy.features import Observer
    from jimbot.policy.network import Network, NetworkPolicy
    from jimbot.policy.weights import read

    policy, network = NetworkPolicy(file), Network(read(file)[0])
    observer, player = Observer(foresight=True), make("heuristic")
    rng = random.Random(1)
    bare, whole = Timed(), Timed()
    while len(whole.wall) < STATES:
        run = Run(random_seed(rng), rng.choice(DECKS), rng.choice(STAKES))
        while not run.over:
            observer.forget()
            observer.observe(run)
            bare(partial(network.evaluate, observer))
            whole(partial(policy.act, run))
            run.step(player.act(run))
    began = time.process_time()
    games = 20
    for number in range(games):
        run = Run(random_seed(random.Random(number)))
        actions = 0
        while not run.over and actions < 3000:
            run.step(policy.act(run))
            actions += 1
    game = (time.process_time() - began) / games
    return bare, whole, game, psutil.Process().memory_info().rss / 2**20


def import_seconds(file: Path) -> tuple[float, float]:
    """Median seconds of the import, and of a whole process that loads the file, decides, ends."""
    code = (
        "import time; began = time.perf_counter()\n"
        "from jimbot.policy.network import NetworkPolicy\n"
        "print(time.perf_counter() - began)\n"
        "from pathlib import Path; from jimbot.game import Run\n"
        f"NetworkPolicy(Path({str(file)!r})).act(Run('ALEEB'))"
    )
    imports, processes = [], []
    for _ in range(IMPORTS):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        processes.append(time.perf_counter() - began)
        imports.append(float(done.stdout))
    return sorted(imports)[IMPORTS // 2], sorted(processes)[IMPORTS // 2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="what `jimbot export` has written")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        random_weights = untrained(width=WIDTH, embedding=EMBEDDING)
        file = options.file or exported(Path(folder) / "policy.npz", random_weights)
        imported, process = import_seconds(file)
        bare, whole, game, memory = decide(file)
        size = file.stat().st_size
    from jimbot.game import COMPILED
    from jimbot.policy import COMPILED as OBSERVED

    results = [
        ("decision, observation made", str(bare), bare.p99 < 5),
        ("decision with observation", str(whole), whole.p99 < 5),
        ("a game of the policy", f"{game * 1000:.0f} ms", True),
        ("memory of the process", f"{memory:.0f} MB (target 120)", memory < 120),
        ("import", f"{imported:.3f} s (target 0.3)", imported < 0.3),
        ("process that decides once", f"{process:.3f} s", True),
        ("file", f"{size / 1000:.0f} KB", True),
    ]
    for name, figure, _ in results:
        print(f"{name:<28} {figure}")
    forms = ["compiled" if compiled else "plain" for compiled in (COMPILED, OBSERVED)]
    print(f"{'states':<28} {len(whole.wall):,}, {options.file or 'random weights'}")
    print(f"{'game, rows':<28} {', '.join(forms)}")
    print(f"{'load of the machine before':<28} {load:.1f} on {os.cpu_count()} cores")
    return 0 if all(good for _, _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
