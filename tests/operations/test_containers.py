"""Containers for real: limits, the closed network, what is published, restarts.

The images are made here, of this machine's Python and nothing else, and bear the table's names.
"""

from __future__ import annotations

import asyncio
import glob
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from jimbot import __version__
from jimbot.appliance import Appliance, Home
from jimbot.operations import outside
from jimbot.operations.containers import Containers
from jimbot.operations.errors import OperationError
from jimbot.operations.ports import free as free_ports
from jimbot.operations.supervisor import Supervisor
from tests.cli.test_alerts import answering
from tests.operations.conftest import FAKE

PYTHON = "/usr/bin/python3"
IMAGE = "jimbot-mcp"
# What podman 4 needs on a machine without systemd; see shared/nix/README.md.
SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# The way from sockets to the network's loopback, and from one of its ports to a socket, as
# `jimbot forward` goes them.
FORWARD = r"""
import os, socket, sys, threading
def copy(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    finally:
        try: b.shutdown(socket.SHUT_WR)
        except OSError: pass
def serve(port, out):
    path = f"/run/jimbot/{port}.sock"
    if out:
        listener = socket.create_server(("127.0.0.1", port))
    else:
        if os.path.exists(path): os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
    while True:
        a, _ = listener.accept()
        b = socket.socket(socket.AF_UNIX if out else socket.AF_INET)
        try: b.connect(path if out else ("127.0.0.1", port))
        except OSError: a.close(); continue
        threading.Thread(target=copy, args=(a, b), daemon=True).start()
        threading.Thread(target=copy, args=(b, a), daemon=True).start()
out, *ports = sys.argv[1:]
threading.Thread(target=serve, args=(int(out), True)).start()
for port in ports: threading.Thread(target=serve, args=(int(port), False)).start()
"""


def _why_not() -> str:
    if os.geteuid() != 0 or shutil.which("podman") is None:
        return "podman as root is not here"
    if not Path(PYTHON).exists() or shutil.which("runc") is None:
        return "runc or the system's Python is not here"
    return ""


pytestmark = pytest.mark.skipif(bool(_why_not()), reason=f"containers: {_why_not()}")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Podman's settings for this machine, and an image of Python under our name."""
    folder = tmp_path_factory.mktemp("podman")
    (folder / "containers.conf").write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
        # Images of its own: the machine's, which may have the same names, are left alone.
        storage = f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\n'
        (folder / "storage.conf").write_text(f'{storage}graphroot = "{folder}/images"\n')
        patch.setenv("CONTAINERS_STORAGE_CONF", str(folder / "storage.conf"))
        _root(folder / "root.tar")
        with imported(folder / "root.tar", [IMAGE]):
            yield


@contextmanager
def imported(root: Path, images: Iterable[str], *changes: str) -> Iterator[None]:
    """Podman's images of a root file system under our names; at the end all images go.

    Args:
        changes: what the images say of themselves, as Containerfile lines.
    """
    told = [f"--change={each}" for each in changes]
    try:
        for image in images:
            subprocess.run(
                ["podman", "import", "--quiet", *told, str(root), f"{image}:{__version__}"],
                check=True,
                capture_output=True,
                timeout=100,
            )
        yield
    finally:
        subprocess.run(["podman", "rmi", "--all", "--force"], capture_output=True, check=False)
        subprocess.run(["podman", "unmount", "--all"], capture_output=True, check=False)


def _root(path: Path) -> None:
    """A root file system with Python alone: no shell, no other program."""
    python = os.path.realpath(PYTHON)
    library = f"/usr/lib/{Path(python).name}"
    libraries: set[str] = set()
    for binary in (python, *glob.glob(f"{library}/lib-dynload/*.so")):
        told = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
        libraries |= {word for word in told.split() if word.startswith("/")}
    with tarfile.open(path, "w") as tar:
        tar.add(python, PYTHON.lstrip("/"))
        for file in libraries:
            tar.add(os.path.realpath(file), file.lstrip("/"))
        tar.add(library, library.lstrip("/"), filter=_needed)
        for name in ("tmp", "etc", "proc", "sys", "dev", "run"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)


def _needed(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    left_out = ("__pycache__", "/test", "/idlelib", "/lib2to3", "dist-packages", "/config-3")
    return None if any(part in entry.name for part in left_out) else entry


class Site:
    """An appliance of two fakes in containers, `mcp` being published."""

    def __init__(self, raw: dict[str, Any], home: Home) -> None:
        mcp, analytics, self.way_out = free_ports(3)
        self.ports = {"mcp": mcp, "analytics": analytics}
        raw["containers"] |= {"publish": {"mcp": ["http"]}, "way_out": self.way_out}
        raw["supervision"] |= {"backoff_first_s": 0.1, "hang_checks": 20}
        raw["services"] = {
            name: {
                "title": name,
                "group": "api",
                "memory_mb": 64,
                "image": IMAGE,
                "command": ["serve", name],
                "ports": {"http": port},
                "health": {"port": "http", "start_s": 60, "interval_s": 0.5, "timeout_s": 2},
            }
            for name, port in self.ports.items()
        }
        self.appliance = Appliance.model_validate(raw)
        # Any core that this machine has, whoever's it is in the table.
        self.appliance.placement.cpus["api"] = str(max(os.sched_getaffinity(0)))
        self.home = home
        self.runtime = Containers(
            self.appliance, home, self.ports, engine="podman", command=self._command
        )

    def _command(self, name: str) -> list[str]:
        if name == "network":
            ports = [str(port) for port in self.ports.values()]
            return [PYTHON, "-c", FORWARD, str(self.way_out), *ports]
        return [PYTHON, "-S", "-c", FAKE, str(self.ports[name]), "greedy"]

    def inside(self, name: str, code: str) -> str:
        """What Python says inside a service's container."""
        done = subprocess.run(
            ["podman", "exec", f"{self.runtime.id}-{name}", PYTHON, "-c", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return (done.stdout + done.stderr).strip()


@pytest.fixture
def site(engine: None, raw_table: Callable[[], dict[str, Any]], home: Home) -> Iterator[Site]:
    raw = raw_table()
    raw["placement"]["oom_score"] = dict.fromkeys(raw["placement"]["oom_score"], 0)
    made = Site(raw, home)
    yield made
    asyncio.run(made.runtime.close())


def _opens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(3)
        return probe.connect_ex((address, port)) == 0


async def _until(condition: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def test_limits_hold_the_network_is_closed_and_mcp_alone_is_published(site: Site) -> None:
    async def main() -> None:
        await site.runtime.begin()
        assert site.runtime.warnings == []
        supervisor = Supervisor(site.appliance, site.home, site.ports, runtime=site.runtime)
        supervisor.start()
        try:
            await asyncio.wait_for(supervisor.wait_healthy(), 80)
            await asyncio.to_thread(_look, site)
            await asyncio.to_thread(supervisor.measure)
            mcp = supervisor.services["mcp"]
            assert 1 < mcp.rss_mb < 64

            # The limit of memory: it is killed, seen, started again, and the other lives on.
            await asyncio.to_thread(
                site.inside, "mcp", "import os, signal; os.kill(1, signal.SIGUSR2)"
            )
            reasons: set[str] = set()

            def again() -> bool:
                reasons.add(mcp.health.reason)
                return mcp.restarts == 1 and mcp.health.status == "ok"

            await _until(again)
            assert any("killed" in it and "more than its 64 MB of memory" in it for it in reasons)
            assert supervisor.services["analytics"].restarts == 0

            # A container that is killed from outside comes back as well.
            name = f"{site.runtime.id}-analytics"
            await asyncio.to_thread(
                subprocess.run, ["podman", "kill", name], check=True, capture_output=True
            )
            other = supervisor.services["analytics"]
            await _until(lambda: other.restarts == 1 and other.health.status == "ok")
        finally:
            assert await supervisor.stop(60) == []
        listed = subprocess.run(
            ["podman", "ps", "--all", "--quiet", f"--filter=label=jimbot={site.runtime.id}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert listed.stdout.strip() == ""

    asyncio.run(main())


def _look(site: Site) -> None:
    mcp, other = site.ports["mcp"], site.ports["analytics"]
    # Published on this machine's loopback: mcp, and nothing else.
    assert httpx.get(f"http://127.0.0.1:{mcp}/", trust_env=False).json() == {"status": "ok"}
    assert not _opens("127.0.0.1", other)
    # Inside, services reach each other by loopback, and nothing else of the world.
    code = "import socket; socket.create_connection(('127.0.0.1', {}), 3); print('open')"
    assert site.inside("mcp", code.format(other)) == "open"
    code = "import socket; socket.create_connection(('{}', 53), 3)"
    for address in ("192.0.2.1", "8.8.8.8"):
        assert "Network is unreachable" in site.inside("mcp", code.format(address))
    _look_out(site)
    # Read-only, without capabilities or new privileges, on the group's core.
    assert "Read-only file system" in site.inside("mcp", "open('/etc/x', 'w')")
    assert site.inside("mcp", "open('/tmp/x', 'w').write('x')") == ""
    status = site.inside("mcp", "print(open('/proc/1/status').read())")
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert int(fields["CapEff"], 16) == 0
    assert fields["NoNewPrivs"].strip() == "1"
    assert fields["Cpus_allowed_list"].strip() == str(max(os.sched_getaffinity(0)))


def _look_out(site: Site) -> None:
    """What tells of alerts reaches the webhooks' servers, once they are named, and no other."""
    code = (
        "import http.client, os\n"
        "way = os.environ['JIMBOT_WAY_OUT'].removeprefix('http://')\n"
        "way = http.client.HTTPConnection(way, timeout=20)\n"
        "way.request('GET', 'http://127.0.0.1:{}/')\n"
        "print(way.getresponse().status)"
    )
    asked, other = free_ports(2)
    hooks = site.home.path / "secrets" / "alert-webhooks"
    with answering(asked, {}):
        assert site.inside("analytics", code.format(asked)) == "403"
        hooks.touch(mode=0o600)
        hooks.write_text(f"http://127.0.0.1:{asked}/T0KEN\n")
        assert site.inside("analytics", code.format(asked)) == "200"
        assert site.inside("analytics", code.format(other)) == "403"
    assert "KeyError" in site.inside("mcp", code.format(asked))
    # Nobody inside can name another.
    assert "Read-only file system" in site.inside("mcp", f"open({str(hooks)!r}, 'a')")


def test_what_an_earlier_run_left_is_removed(site: Site) -> None:
    async def main() -> None:
        await site.runtime.begin()
        await site.runtime.prepare("analytics")
        left = await asyncio.create_subprocess_exec(*site.runtime.command("analytics"))
        name = f"{site.runtime.id}-analytics"
        await _until(lambda: site.inside("analytics", "print(1)") == "1")
        left.kill()  # the engine's client; the container lives on
        await left.wait()
        began = time.monotonic()
        await site.runtime.begin()
        assert time.monotonic() - began < 60
        assert f'no container with name or ID "{name}"' in site.inside("analytics", "print(1)")

    asyncio.run(main())


def test_a_missing_image_or_engine_is_said_so(site: Site, home: Home) -> None:
    rows = site.appliance.services.items()
    services = {name: row.model_copy(update={"image": "jimbot-claude"}) for name, row in rows}
    other = site.appliance.model_copy(update={"services": services})
    with pytest.raises(OperationError, match="podman has no image jimbot-claude:") as missing:
        asyncio.run(Containers(other, home, site.ports, engine="podman").begin())
    assert "nix build .#images" in missing.value.hint
    with pytest.raises(OperationError, match="nerdctl is not installed"):
        asyncio.run(Containers(other, home, site.ports, engine="nerdctl").begin())


def test_a_file_of_webhooks_that_services_could_write_opens_nothing(
    raw_table: Callable[[], dict[str, Any]], home: Home
) -> None:
    url = "https://hooks.example.org/T0KEN\n"
    for file, found in (
        ("secrets/hooks", {"hooks.example.org:443"}),
        ("hooks", set()),
        ("secrets/../hooks", set()),
    ):
        raw = raw_table()
        raw["alerts"]["delivery"]["webhook_file"] = file
        path = home.path / file
        (home.path / "secrets").mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(url)
        appliance = Appliance.model_validate(raw)
        assert outside.servers(appliance, home, ["analytics"]) == found


def test_servers_can_write_their_data(appliance: Appliance, home: Home) -> None:
    """By an entry point that gives it to them, or as whom it belongs to."""
    servers = {"memgraph": False, "questdb": False, "eventstore": True}
    runtime = Containers(appliance, home, tuple(servers), engine="podman")
    for name, plain in servers.items():
        command = runtime.command(name)
        row = appliance.service(name)
        image = appliance.images[row.image]
        assert {f"--env={key}={value}" for key, value in image.environment.items()} <= set(command)
        told = image.told(row.memory_mb * appliance.placement.memory_high)
        assert command[len(command) - len(told) :] == told
        assert (f"--user={os.getuid()}:{os.getgid()}" in command) is plain
        assert any(option.startswith("--cap-add=CHOWN") for option in command) is not plain
        (volume,) = [option for option in command if option.startswith("--volume=")]
        outside, inside = volume.removeprefix("--volume=").split(":")
        assert Path(outside).is_dir()
        assert inside == image.data
