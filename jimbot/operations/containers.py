"""Services as containers of podman or docker, from the table's images.

All share one network, as in a pod: they speak with each other on its loopback, just as natively,
and it has nothing but that loopback. The first container in it leads sockets in the home to the
services' ports. There the supervisor asks for health, and what the table publishes, mcp alone, it
opens on this machine's loopback. Another socket leads out: to Claude's servers and those of the
alerts' webhooks alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

from jimbot import __version__
from jimbot.appliance import Appliance, Home
from jimbot.appliance.containers import RAY_HEAD, WAY_OUT
from jimbot.appliance.images import reference
from jimbot.operations import forward, health, outside, process, shares
from jimbot.operations.errors import OperationError
from jimbot.operations.outside import ALERTS, GATEWAY
from jimbot.operations.runtime import Release

Engine = Literal["podman", "docker"]

_CALL_S: Final = 60.0
# Of the container that leads to the services' ports: its memory, and its sockets' folder inside.
_OPENED_S: Final = 1.0
_NETWORK_MB: Final = 128
_SOCKETS: Final = "/run/jimbot"
# What an engine's client answers when it failed itself, before the container did anything.
_ENGINE_FAILED: Final = 125
_KILLED: Final = 128 + 9


class Containers:
    """The runtime for containers. Call `begin` once, before the first start.

    Args:
        scale: of the table's memory, what the profile takes.
        command: what follows the image's name for a service, and for `network`; for tests.
    """

    def __init__(
        self,
        appliance: Appliance,
        home: Home,
        services: Iterable[str],
        *,
        engine: str,
        scale: float = 1.0,
        command: Callable[[str], list[str]] | None = None,
    ) -> None:
        # Conmon leaves a file `oom` where it was started when a container runs out of memory.
        self.directory: Path | None = home.run
        self.sweeps = False  # what watches over a container is the engine's, not a stray
        self._appliance = appliance
        self._home = home
        self._services = list(services)
        self._engine = engine
        self._scale = scale
        self._command = command or self._jimbot
        self._releases: dict[str, Release] = {}
        self._pids: dict[str, int] = {}
        self.id = f"jimbot-{hashlib.sha256(str(home.path).encode()).hexdigest()[:8]}"
        groups = {appliance.service(name).group for name in self._services}
        self._cores, self.warnings = shares.cores_here(appliance, groups)
        self._least = -1000  # the lowest score that the engine gives here
        self._sockets = home.run / "containers"
        self._secrets = home.path / "secrets"
        self._published: list[asyncio.Server] = []

    async def begin(self) -> None:
        """Remove what an earlier run left, and make the network.

        Raises:
            OperationError: the engine is missing or refuses, an image is missing.
        """
        if shutil.which(self._engine) is None:
            raise OperationError(
                f"{self._engine} is not installed", hint="Install it, or choose another --engine"
            )
        if self._appliance.security.exposed:
            raise OperationError(
                "containers open mcp to this machine alone, but the table lets it listen on "
                f"{self._appliance.security.listen}",
                hint="Set listen = '127.0.0.1' in [security], or use the native runtime",
            )
        for name in self._services:
            await self._check_image(name)
        self._unpublish()
        await self._remove_all()
        self._sockets.mkdir(exist_ok=True, mode=0o700)
        self._secrets.mkdir(exist_ok=True, mode=0o700)
        await self._find_least_score()
        await self._open_network()
        await asyncio.sleep(_OPENED_S)
        if await self._state("network", "{{.State.Running}}") != "true":
            raise OperationError(
                "the container that opens the services' network ended at once",
                hint=f"Try it: {self._engine} run --rm {self.image(self._services[0])} --version",
            )
        ports = (
            self._appliance.service(name).ports[label]
            for name, labels in self._appliance.containers.publish.items()
            if name in self._services
            for label in labels
        )
        self._published = await forward.outwards(self._sockets, ports)
        if self._leads_out():
            way_out = self._appliance.containers.way_out
            self._published.append(await forward.exits(self._sockets, way_out, self._servers))

    def use(self, name: str, release: Release | None) -> None:
        self._releases.pop(name, None)
        if release is not None:
            self._releases[name] = release

    def command(self, name: str) -> list[str]:
        row = self._appliance.service(name)
        memory = self._limit_mb(name)
        score = self._appliance.placement.oom_score.get(row.group, 0)
        options = [
            f"--name={self._name(name)}",
            f"--network=container:{self._name('network')}",
            f"--memory={memory}m",
            f"--memory-swap={memory}m",
            f"--oom-score-adj={max(score, self._least)}",
            "--pull=never" if row.command else "--pull=missing",
        ]
        if cores := self._cores.get(row.group):
            options.append(f"--cpuset-cpus={','.join(str(core) for core in sorted(cores))}")
        if row.group == "training":
            options.append(f"--shm-size={self._appliance.object_store_mb}m")
        if row.vram_mb and shutil.which("nvidia-smi"):
            gpu = "--gpus=all" if self._engine == "docker" else "--device=nvidia.com/gpu=all"
            options.append(gpu)
        plain = bool(row.command) or self._appliance.images[row.image].starts_plain
        options += self._closed(plain=plain) + self._volumes(name)
        return [self._engine, "run", *options, self.image(name), *self._command(name)]

    def image(self, name: str) -> str:
        """What the engine is told to run for a service."""
        image = self._appliance.service(name).image
        if (release := self._releases.get(name)) and image in release.images:
            return release.images[image]
        return reference(self._appliance.images, image, __version__)

    def environment(self, name: str) -> Mapping[str, str]:
        return {}  # the engine's client is told what the container gets

    def address(self, name: str) -> str:
        return f"{health.SOCKETS}{self._sockets}"

    async def prepare(self, name: str) -> None:
        if await self._state("network", "{{.State.Running}}") != "true":
            # All that lives in its network is gone with it, and is started again in the new one.
            await self._open_network()
        await self.clean(name)

    def started(self, name: str, pid: int) -> None:
        self._pids.pop(name, None)

    async def why_ended(self, name: str, code: int) -> str:
        memory = self._limit_mb(name)
        if await self._state(name, "{{.State.OOMKilled}}") == "true":
            return f"killed for taking more than its {memory} MB of memory"
        if code == _KILLED:  # podman does not see the kernel do it under control groups 1
            return f"killed, as happens to what takes more than its {memory} MB of memory"
        return f"{self._engine} could not run it" if code == _ENGINE_FAILED else ""

    def top(self, name: str, pid: int) -> int:
        if name not in self._pids:
            found = self._run("inspect", "--format", "{{.State.Pid}}", self._name(name))
            text = found.stdout.strip()
            if found.returncode or not text.isdigit() or text == "0":
                return 0
            self._pids[name] = int(text)
        return self._pids[name]

    def memory_mb(self, name: str, pid: int) -> float:
        top = self.top(name, pid)
        return process.memory_mb(process.tree(top)) if top else 0.0

    def _limit_mb(self, name: str) -> int:
        return shares.memory_mb(self._appliance, name, "containers", self._scale)

    async def clean(self, name: str) -> None:
        await self._call("rm", "--force", self._name(name), fails=True)

    async def close(self) -> None:
        self._unpublish()
        await self._remove_all()

    def _unpublish(self) -> None:
        for server in self._published:
            server.close()

    def _leads_out(self) -> bool:
        return not {GATEWAY, ALERTS}.isdisjoint(self._services)

    def _servers(self) -> set[str]:
        """Whom the services may reach outside, each `HOST:PORT`; webhooks change while they run."""
        return outside.servers(self._appliance, self._home, self._services)

    def _jimbot(self, name: str) -> list[str]:
        if name == "network":
            out = [f"--out={self._appliance.containers.way_out}"] if self._leads_out() else []
            return ["forward", *out, _SOCKETS, *(str(port) for port in self._ports())]
        row = self._appliance.service(name)
        if row.command:
            return list(row.command)
        return self._appliance.server_arguments(name, self._limit_mb(name))

    def _ports(self) -> list[int]:
        rows = [self._appliance.service(name) for name in self._services]
        return [port for row in rows for port in row.ports.values()]

    def _name(self, name: str) -> str:
        return f"{self.id}-{name}"

    def _closed(self, *, plain: bool) -> list[str]:
        """What no container may; one that is plain starts as whom the home belongs to."""
        limits = self._appliance.containers
        options = [
            f"--label=jimbot={self.id}",
            "--security-opt=no-new-privileges",
            "--cap-drop=all",
            f"--pids-limit={limits.pids}",
            "--read-only",
            f"--tmpfs=/tmp:rw,nosuid,nodev,size={limits.tmp_mb}m",
            "--log-driver=none",
        ]
        if plain:
            # The home is its owner's alone, whoever the image would run as.
            options.append(f"--user={os.getuid()}:{os.getgid()}")
        else:
            # Their entry points give the data to the user that they then become.
            options.append("--cap-add=CHOWN,DAC_OVERRIDE,FOWNER,SETGID,SETUID")
        return options

    def _volumes(self, name: str) -> list[str]:
        row = self._appliance.service(name)
        if not row.command:
            image = self._appliance.images[row.image]
            outside = self._home.path / getattr(self._appliance.backup.servers, name)
            outside.mkdir(parents=True, exist_ok=True)
            told = [f"--env={key}={value}" for key, value in image.environment.items()]
            return [f"--volume={outside}:{image.data}", *told]
        home = str(self._home.path)
        same = ("JIMBOT_PROFILE", "JIMBOT_ENVIRONMENT", "JIMBOT_LOG_LEVEL")  # as `jimbot up` has it
        # Secrets are read alone: the webhooks among them say who may be reached outside.
        secrets = f"--volume={self._secrets}:{self._secrets}:ro"
        options = [f"--volume={home}:{home}", secrets, f"--env=JIMBOT_HOME={home}"]
        options += [f"--env={variable}" for variable in same]
        if variable := {GATEWAY: "HTTPS_PROXY", ALERTS: WAY_OUT}.get(name):
            way_out = self._appliance.containers.way_out
            options.append(f"--env={variable}=http://127.0.0.1:{way_out}")
        if row.group == "training":
            options.append(f"--env={RAY_HEAD}={self._appliance.ray_head}")
        release = self._releases.get(name)
        table = str(release.table) if release else os.environ.get("JIMBOT_TABLE")
        if table:
            table = str(Path(table).resolve())
            options += [f"--volume={table}:{table}:ro", f"--env=JIMBOT_TABLE={table}"]
        return options

    async def _open_network(self) -> None:
        """Start the container whose network the others share."""
        await self._call("rm", "--force", self._name("network"), fails=True)
        await self._call(
            "run",
            "--detach",
            f"--name={self._name('network')}",
            "--network=none",
            f"--memory={_NETWORK_MB}m",
            "--pull=never",
            f"--volume={self._sockets}:{_SOCKETS}",
            *self._closed(plain=True),
            self.image(self._first()),
            *self._command("network"),
        )

    async def _find_least_score(self) -> None:
        """Some machines let nobody be less likely to be killed, and their engines then start
        nothing that asks for it."""
        least = min(self._appliance.placement.oom_score.values())
        if least >= 0:
            return
        image = self.image(self._first())
        probe = ("run", "--rm", "--network=none", "--pull=never", f"--oom-score-adj={least}", image)
        if await self._call(*probe, "--version", fails=True) is None:
            self._least = 0
            self.warnings.append("who is killed last is not enforced: the engine refuses it here")

    def _first(self) -> str:
        return next(name for name in self._services if self._appliance.service(name).command)

    async def _remove_all(self) -> None:
        listed = await self._call("ps", "--all", "--quiet", f"--filter=label=jimbot={self.id}")
        # Those first that live in the network of another.
        network = await self._call(
            "ps", "--all", "--quiet", f"--filter=name={self._name('network')}"
        )
        last = (network or "").split()
        for container in [it for it in (listed or "").split() if it not in last] + last:
            if container in last:
                await self._call("kill", container, fails=True)  # it holds nothing
            await self._call("rm", "--force", container, fails=True)

    async def _check_image(self, name: str) -> None:
        """Refuse an image that is missing, or unpinned where the environment wants it pinned."""
        row = self._appliance.service(name)
        image = self._appliance.images[row.image]
        named = os.environ.get("JIMBOT_ENVIRONMENT") or self._appliance.logs.environment
        strict = getattr(self._appliance.environments, named, None)
        if not image.ours and not image.digest and strict and strict.require_digests:
            raise OperationError(
                f"the image {row.image} has no digest in the table, which {named} asks for",
                hint=f"Fill in images.'{row.image}'.digest, or use a store of another engine",
            )
        if (
            image.ours
            and await self._call("image", "inspect", self.image(name), fails=True) is None
        ):
            raise OperationError(
                f"{self._engine} has no image {self.image(name)} ({name})",
                hint=f"Build and load it: nix build .#images && ./result/load {self._engine}",
            )

    async def _state(self, name: str, wanted: str) -> str | None:
        told = await self._call("inspect", "--format", wanted, self._name(name), fails=True)
        return told.strip() if told is not None else None

    async def _call(self, *arguments: str, fails: bool = False) -> str | None:
        """The engine's answer; None when it says no and that `fails` nothing."""
        done = await asyncio.to_thread(self._run, *arguments)
        if done.returncode == 0:
            return done.stdout
        if fails:
            return None
        raise OperationError(
            f"{self._engine} {' '.join(arguments[:2])} failed: {_last(done.stderr)}",
            hint=f"Does `{self._engine} info` work?",
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return _engine(self._engine, *arguments)


def digests(appliance: Appliance, engine: str, names: Iterable[str]) -> dict[str, str]:
    """The ids of the images that the table's names mean now; what runs by an id stays the same.

    Raises:
        OperationError: the engine does not know one of them.
    """
    found = {}
    for name in names:
        wanted = reference(appliance.images, name, __version__)
        done = _engine(engine, "image", "inspect", wanted)
        if done.returncode:
            raise OperationError(
                f"{engine} has no image {wanted}",
                hint=f"Build and load it: nix build .#images && ./result/load {engine}",
            )
        found[name] = str(json.loads(done.stdout)[0]["Id"])
    return found


def _engine(engine: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [engine, *arguments], capture_output=True, text=True, timeout=_CALL_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OperationError(
            f"{engine} {arguments[0]} failed: {error}", hint=f"Does `{engine} info` work?"
        ) from error


def _last(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "no reason given"
