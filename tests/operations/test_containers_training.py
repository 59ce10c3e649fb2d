"""Training in containers for real: the head, a worker and the trainer see nothing of each other.

The images are this machine's own programs, read-only, under the table's names; what runs in them
is the appliance itself, by `jimbot up --runtime containers`.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.events import LogError, open_log
from jimbot.events.payloads import TRAINING_ITERATION
from jimbot.operations import state
from jimbot.operations.ports import free as free_ports
from tests.cli.test_alerts import answering
from tests.operations.test_containers import SETTINGS, imported
from tests.test_up import Up

ROOT = Path(__file__).parents[2]
OURS = ("jimbot-mcp", "jimbot-analytics", "jimbot-claude", "jimbot-ray-head", "jimbot-ray-worker")


def _why_not() -> str:
    if os.geteuid() != 0 or shutil.which("podman") is None or shutil.which("runc") is None:
        return "podman as root, with runc, is not here"
    return ""


pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(bool(_why_not()), reason=f"containers: {_why_not()}"),
]


def _most(limit: int) -> str:
    """As much as training needs, and this machine gives."""
    hard = resource.getrlimit(limit)[1]
    most = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    return f"{most}:{most}"


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name: under a long one podman does not clean up behind a container that
    ends, and waits for that 20 s."""
    path = Path(tempfile.mkdtemp(prefix="jbc-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def engine(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Images of nothing but mount points, which podman fills with this machine's programs."""
    programs = {"/usr", str(ROOT), sys.prefix, sys.base_prefix}
    mounts = [f"{path}:{path}:ro" for path in sorted(programs)]
    conf, storage, root = (short / name for name in ("containers.conf", "storage", "root.tar"))
    conf.write_text(
        SETTINGS.replace("[containers]", f"[containers]\nvolumes = {json.dumps(mounts)}")
        .replace("nofile=1024:1024", f"nofile={_most(resource.RLIMIT_NOFILE)}")
        .replace("nproc=1024:1024", f"nproc={_most(resource.RLIMIT_NPROC)}")
    )
    storage.write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{short}/run"\ngraphroot = "{short}/i"\n'
    )
    monkeypatch.setenv("CONTAINERS_CONF", str(conf))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    with tarfile.open(root, "w") as tar:
        for name in ("tmp", "etc", "proc", "sys", "dev", "run", *(each[1:] for each in programs)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name in ("bin", "lib", "lib64"):
            if Path("/", name).is_symlink():
                tar.add(f"/{name}", name)
    started = [
        f"ENTRYPOINT {json.dumps([sys.executable, '-m', 'jimbot'])}",
        f"ENV PYTHONPATH={ROOT}",
        "ENV HOME=/tmp",
    ]
    with imported(root, OURS, *started):
        yield


@pytest.mark.timeout(1200)
def test_it_trains_and_survives_its_worker(engine: None, tmp_path: Path) -> None:
    run = Up(tmp_path)
    # It is about training, not about how quickly a busy machine stops.
    told = run.table.read_text()
    assert "stop_s = 10 " in told
    run.table.write_text(told.replace("stop_s = 10 ", "stop_s = 60 "))
    run.start("--runtime", "containers", "--engine", "podman", "--profile", "ci", "--json")
    assert run.process is not None
    try:
        _until(run, lambda: _iterations(run) >= 2, 400)
        worker = _container(run, "ray-worker")
        # What plays is in the worker's container, and the head plays nothing.
        assert _runners(worker) == run.appliance.profiles["ci"].training.env_runners
        assert _runners(_container(run, "ray-head")) == 0
        _gateway(run)
        _alerts(run)
        before = _iterations(run)
        subprocess.run(["podman", "kill", worker], check=True, capture_output=True, timeout=60)
        _until(run, lambda: _restarted(run, "ray-worker"), 120)
        _until(run, lambda: _iterations(run) >= before + 3, 240)
        health = run.jimbot("health", "--wait", "--timeout", "60")
        assert health.returncode == 0, health.stdout
    finally:
        run.process.send_signal(signal.SIGTERM)
        code, out, err = run.finish(180)
    assert code == 0, err
    summary = json.loads(out)
    assert summary["events_lost"] == 0
    assert summary["games_finished"] > 0
    assert summary["restarts"]["ray-worker"] >= 1


def _gateway(run: Up) -> None:
    """mcp reaches the gateway, and the gateway Claude's servers, where there is a way, alone."""
    url = f"{run.appliance.url('claude')}/health"
    code = f"import httpx; print(httpx.get({url!r}, trust_env=False).json()['status'])"
    assert _say(_container(run, "mcp"), code).strip() in ("ok", "warn")  # it has no key
    code = (
        "import http.client, os, urllib.parse\n"
        "proxy = urllib.parse.urlsplit(os.environ['HTTPS_PROXY'])\n"
        "way = http.client.HTTPConnection(proxy.hostname, proxy.port, timeout=20)\n"
        "way.set_tunnel({!r}, 443)\n"
        "try: way.connect(); print('there')\n"
        "except OSError as error: print(error)"
    )
    gateway = _container(run, "claude")
    assert "403" in _say(gateway, code.format("example.org"))
    said = _say(gateway, code.format("api.anthropic.com"))
    assert "there" in said or "502" in said  # as this machine's own network lets it


def _alerts(run: Up) -> None:
    """What tells of alerts reaches a webhook on this machine."""
    [port] = free_ports(1)
    hooks = run.home.path / "secrets" / "alert-webhooks"
    hooks.touch(mode=0o600)
    hooks.write_text(f"http://127.0.0.1:{port}/\n")
    code = "from jimbot.cli import main; main(['alerts', 'test'])"
    with answering(port, {}) as messages:
        said = _say(_container(run, "analytics"), code)
    assert "webhook-1: taken" in said, said
    assert len(messages) == 1


def _say(container: str, code: str) -> str:
    done = subprocess.run(
        ["podman", "exec", container, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def _until(run: Up, condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert run.process is not None
        assert run.process.poll() is None, run.finish(10)
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(1)


def _iterations(run: Up) -> int:
    try:
        log = open_log(run.home, read_only=True)
    except LogError:
        return 0
    try:
        return log.count([TRAINING_ITERATION])
    finally:
        log.close()


def _restarted(run: Up, name: str) -> bool:
    running = state.read(run.home)
    service = running.services[name] if running else None
    return service is not None and service.restarts > 0


def _container(run: Up, name: str) -> str:
    listed = subprocess.run(
        ["podman", "ps", "--format={{.Names}}"], capture_output=True, text=True, check=True
    )
    return next(each for each in listed.stdout.split() if each.endswith(f"-{name}"))


def _runners(container: str) -> int:
    done = subprocess.run(
        ["podman", "top", container, "args"], capture_output=True, text=True, check=True
    )
    return sum(line.startswith("ray::SingleAgentEnvRunner") for line in done.stdout.splitlines())
