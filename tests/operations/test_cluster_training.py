"""Training as on a cluster: the head, a worker and the appliance are machines of their own.

They have addresses of their own in one closed network, homes of their own, and what a cluster hands
to each under /run/secrets. What runs are the services themselves, as the pods' manifests start them
(tests/appliance/render/test_kubernetes.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.appliance import Home, load
from jimbot.events import LogError, open_log
from jimbot.events.payloads import GAME_FINISHED, TRAINING_ITERATION
from jimbot.security import authority, tokens
from tests import processes
from tests.conftest import table_on_free_ports
from tests.training.conftest import shrink

ROOT = Path(__file__).parents[2]
HEAD, WORKER, APPLIANCE = "10.9.9.1", "10.9.9.2", "10.9.9.3"


def _why_not() -> str:
    needed = ("ip", "nsenter", "unshare", "mount")
    if os.geteuid() != 0 or any(shutil.which(each) is None for each in needed):
        return "root, with namespaces, is not here"
    return ""


pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(bool(_why_not()), reason=f"a cluster of its own: {_why_not()}"),
]


class Cluster:
    """A network that nobody else is in, and pods in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = table_on_free_ports(folder)
        text = self.table.read_text().replace('listen = "127.0.0.1"', 'listen = "0.0.0.0"')
        self.table.write_text(text)
        shrink(self.table)
        self.appliance = load(self.table)
        self.pods: dict[str, subprocess.Popen[bytes]] = {}
        (folder / "ray-token").write_text("a" * 64)
        self._network = subprocess.Popen(["unshare", "--net", "sleep", "3000"])
        self._inside = ["nsenter", "--target", str(self._network.pid), "--net"]
        ours = Path("/proc/self/ns/net").readlink()
        processes.until(lambda: Path(f"/proc/{self._network.pid}/ns/net").readlink() != ours, 30)
        self._ip("link", "set", "lo", "up")
        for address in (HEAD, WORKER, APPLIANCE):
            self._ip("addr", "add", f"{address}/32", "dev", "lo")

    def _ip(self, *arguments: str) -> None:
        subprocess.run([*self._inside, "ip", *arguments], check=True, timeout=30)

    def start(self, home: Home, service: str, own: Path | None = None, **told: str) -> None:
        """A pod with its secrets, which no other sees: Ray's token, and `own`."""
        script = (
            "set -e; mkdir -p /run/secrets; mount -t tmpfs none /run/secrets; umask 077\n"
            f"mkdir /run/secrets/ray; cp {self.folder}/ray-token /run/secrets/ray/token\n"
            f"{f'cp -r {own} /run/secrets/jimbot-own' if own else ''}\n"
            f"exec {sys.executable} -m jimbot serve {service}"
        )
        port = self.appliance.service("ray-head").ports["gcs"]
        environment = os.environ | {
            "JIMBOT_HOME": str(home.path),
            "JIMBOT_TABLE": str(self.table),
            "JIMBOT_PROFILE": "ci",
            "JIMBOT_RAY_HEAD": f"{HEAD}:{port}",
            "PYTHONPATH": str(ROOT),
        }
        with (self.folder / f"{service}.log").open("wb") as log:
            self.pods[service] = subprocess.Popen(
                [*self._inside, "unshare", "--mount", "sh", "-c", script],
                env=environment | told,
                stdout=log,
                stderr=log,
            )

    def until(self, condition: Callable[[], object], seconds: float) -> None:
        def all_run() -> object:
            for name, pod in self.pods.items():
                said = (self.folder / f"{name}.log").read_text()[-2000:]
                assert pod.poll() is None, f"{name} ended: {said}"
            return condition()

        processes.until(all_run, seconds)

    def stop(self) -> None:
        processes.stop(reversed(self.pods.values()), 30)
        self._network.kill()
        self._network.wait()


def _acknowledged(home: Home) -> set[str]:
    files = (path for path in home.acknowledged.rglob("*") if path.is_file())
    return {line for path in files for line in path.read_text().split()}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.stop()


@pytest.mark.timeout(900)
def test_games_of_workers_elsewhere_come_into_the_log(cluster: Cluster, tmp_path: Path) -> None:
    app, head, worker = (Home(tmp_path / name) for name in ("app", "head", "worker"))
    for home in (app, head, worker):
        home.prepare()
    signed = authority.init(app.path / "secrets" / "tls", [APPLIANCE])
    made = tokens.create(
        app, cluster.appliance.security, "ray-worker", "player", scopes=["events:write"]
    )
    own = tmp_path / "own"
    own.mkdir()
    (own / "token").write_text(made.text)
    shutil.copy(signed.ca, own / "authority")
    port = cluster.appliance.service("mcp").ports["websocket"]

    cluster.start(app, "mcp")
    cluster.start(head, "ray-head", JIMBOT_RAY_ADDRESS=HEAD)
    cluster.start(
        worker,
        "ray-worker",
        own,
        JIMBOT_RAY_ADDRESS=WORKER,
        JIMBOT_EVENTS=f"wss://{APPLIANCE}:{port}",
        SSL_CERT_FILE="/run/secrets/jimbot-own/authority",
    )
    cluster.start(app, "trainer")

    def counted(kind: str) -> int:
        try:
            log = open_log(app, read_only=True)
        except LogError:
            return 0
        try:
            return log.count([kind])
        finally:
            log.close()

    cluster.until(lambda: counted(TRAINING_ITERATION) >= 2 and counted(GAME_FINISHED) >= 2, 800)
    # Whoever played has written down what he knows to be stored; it was not the trainer.
    log = open_log(app, read_only=True)
    games = {entry.event.event_id for entry in log.read(types=[GAME_FINISHED])}
    log.close()
    assert games & _acknowledged(worker)
    assert not games & _acknowledged(app)
    assert not _acknowledged(head)
