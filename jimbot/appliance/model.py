"""The typed model of the appliance table, and the proof that its budget fits.

Loading is the proof: a table that promises more than the machine has, names a service that does
not exist or uses a port twice does not load.
"""

from __future__ import annotations

import os
import tomllib
from collections import defaultdict
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from jimbot.appliance import placement
from jimbot.appliance.alerts import Alerts
from jimbot.appliance.backup import Backup
from jimbot.appliance.claude import ClaudeLimits
from jimbot.appliance.containers import Containers
from jimbot.appliance.deploy import Deploy
from jimbot.appliance.environments import Environments
from jimbot.appliance.images import Images
from jimbot.appliance.kubernetes import Kubernetes
from jimbot.appliance.logs import Logs
from jimbot.appliance.maintenance import Maintenance
from jimbot.appliance.retention import Retention
from jimbot.appliance.security import Security
from jimbot.appliance.stores import Stores
from jimbot.appliance.supervision import Supervision
from jimbot.appliance.training import Training, TrainingShare
from jimbot.errors import JimbotError

Megabytes = Annotated[int, Field(ge=0, description="MiB")]
Cores = Annotated[float, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0)]
Port = Annotated[int, Field(ge=1, le=65535)]


class TableError(JimbotError):
    """The appliance table is missing, malformed or does not add up."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(_Row):
    memory_mb: Megabytes
    cores: Cores
    vram_mb: Megabytes
    disk_free_mb: Annotated[Megabytes, Field(description="what a start needs free on the disk")]


class Group(_Row):
    """A share of the machine that services of one kind live in."""

    memory_mb: Megabytes
    cores: Cores
    vram_mb: Megabytes = 0
    inside: str | None = None


class HealthCheck(_Row):
    """How to ask a service whether it is well."""

    port: str
    kind: Literal["http", "tcp"] = "http"
    path: str = "/health"
    start_s: Annotated[Seconds, Field(description="time it may take until it is first healthy")]
    interval_s: Seconds
    timeout_s: Seconds


class Service(_Row):
    """One process of the appliance; `command` is what follows `jimbot`, empty for foreign ones."""

    title: str
    group: str
    memory_mb: Megabytes
    vram_mb: Megabytes = 0
    image: str
    command: tuple[str, ...] = ()
    ports: dict[str, Port]
    health: HealthCheck | None = None
    depends: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    store: Literal["log"] | None = None
    engine: Literal["any", "server"] = "any"
    drains: Annotated[bool, Field(description="finishes its work on SIGUSR1 and ends")] = False
    runtimes: tuple[Literal["native", "containers"], ...] = ("native", "containers")


class Minimum(_Row):
    memory_mb: Megabytes
    cores: Cores


class Profile(_Row):
    minimum: Minimum
    memory_scale: Annotated[float, Field(gt=0, le=1)]
    training: TrainingShare


class Play(_Row):
    """Who decides in live games: a policy's name."""

    policy: str


class Aggregation(_Row):
    flush_ms: Annotated[int, Field(ge=1)]


class Appliance(_Row):
    """The whole table. Loading one (`load`) proves that its budget fits and its names resolve."""

    version: Literal[1]
    machine: Machine
    groups: dict[str, Group]
    services: dict[str, Service]
    profiles: dict[str, Profile]
    training: Training
    play: Play
    aggregation: Aggregation
    supervision: Supervision
    deploy: Deploy
    containers: Containers
    logs: Logs
    alerts: Alerts
    retention: Retention
    security: Security
    stores: Stores
    claude: ClaudeLimits
    placement: placement.Placement
    images: Images
    environments: Environments
    maintenance: Maintenance
    backup: Backup
    kubernetes: Kubernetes

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        problems = [
            *_group_problems(self),
            *_share_problems(self),
            *_service_problems(self),
            *_port_problems(self),
            *_placement_problems(self),
            *_image_problems(self),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def service(self, name: str) -> Service:
        """The row of one service.

        Raises:
            TableError: no such service.
        """
        try:
            return self.services[name]
        except KeyError:
            raise TableError(
                f"unknown service {name!r}", hint=f"The table has: {', '.join(self.services)}"
            ) from None

    def memory_mb(self, name: str, runtime: Literal["native", "containers"]) -> int:
        """A service's memory, MiB.

        Where a service that `depends` on it does not run in this runtime of its own (Ray's workers
        natively), it lives inside this one, and its share with it.
        """
        absent = (
            other.memory_mb
            for other in self.services.values()
            if other.command and runtime not in other.runtimes and name in other.depends
        )
        return self.services[name].memory_mb + sum(absent)

    def server_arguments(self, name: str, memory_mb: float) -> list[str]:
        """What another's server is told, which gets so many MiB and may fill part of them itself
        (`[placement] memory_high`)."""
        image = self.images[self.services[name].image]
        return image.told(memory_mb * self.placement.memory_high)

    @property
    def object_store_mb(self) -> int:
        """What Ray's object store takes of the shared memory at most, MiB, in any profile."""
        return max(profile.training.object_store_mb for profile in self.profiles.values())

    @property
    def ray_head(self) -> str:
        """Where this machine's Ray has its control store, `HOST:PORT`."""
        return f"127.0.0.1:{self.service('ray-head').ports['gcs']}"

    def url(self, name: str, port: str = "http", *, scheme: str = "http") -> str:
        """Where a service of this machine listens, e.g. `http://127.0.0.1:8090`."""
        return f"{scheme}://127.0.0.1:{self.service(name).ports[port]}"


def _group_problems(table: Appliance) -> list[str]:
    problems = []
    within: dict[str, int] = defaultdict(int)
    for name, group in table.groups.items():
        if group.inside is None:
            continue
        if group.inside not in table.groups:
            problems.append(f"group {name} is inside {group.inside}, which does not exist")
        within[group.inside] += group.memory_mb
    problems += [
        f"the groups inside {name} take {taken} MB of its {table.groups[name].memory_mb} MB"
        for name, taken in within.items()
        if name in table.groups and taken > table.groups[name].memory_mb
    ]
    outer = [group for group in table.groups.values() if group.inside is None]
    budget = (
        ("memory", "MB", sum(g.memory_mb for g in outer), table.machine.memory_mb),
        ("cores", "", sum(g.cores for g in table.groups.values()), table.machine.cores),
        ("VRAM", "MB", sum(g.vram_mb for g in table.groups.values()), table.machine.vram_mb),
    )
    problems += [
        f"the groups take {taken:g} {unit} of {what}, the machine has {has:g}".replace("  ", " ")
        for what, unit, taken, has in budget
        if taken > has
    ]
    return problems


def _share_problems(table: Appliance) -> list[str]:
    memory: dict[str, int] = defaultdict(int)
    vram: dict[str, int] = defaultdict(int)
    for service in table.services.values():
        memory[service.group] += service.memory_mb
        vram[service.group] += service.vram_mb
    return [
        f"the services of group {name} take {taken} MB of {what}, the group has {has}"
        for name, group in table.groups.items()
        for what, taken, has in (
            ("memory", memory[name], group.memory_mb),
            ("VRAM", vram[name], group.vram_mb),
        )
        if taken > has
    ]


def _service_problems(table: Appliance) -> list[str]:
    problems = []
    for name, service in table.services.items():
        if service.group not in table.groups:
            problems.append(f"service {name} is in group {service.group}, which does not exist")
        problems += [
            f"service {name} needs {other}, which does not exist"
            for other in (*service.depends, *service.after)
            if other not in table.services
        ]
        if service.health and service.health.port not in service.ports:
            problems.append(f"service {name} has no port {service.health.port} to check")
    return problems or _cycle_problems(table)


def _cycle_problems(table: Appliance) -> list[str]:
    done: set[str] = set()
    while len(done) < len(table.services):
        ready = {
            name
            for name, service in table.services.items()
            if name not in done and done.issuperset((*service.depends, *service.after))
        }
        if not ready:
            left = ", ".join(sorted(set(table.services) - done))
            return [f"services wait for each other in a circle: {left}"]
        done |= ready
    return []


def _port_problems(table: Appliance) -> list[str]:
    users: dict[int, list[str]] = defaultdict(list)
    for name, service in table.services.items():
        for port in service.ports.values():
            users[port].append(name)
    users[table.containers.way_out].append("[containers] way_out")
    return [
        f"port {port} is used by {' and '.join(names)}"
        for port, names in users.items()
        if len(names) > 1
    ]


def _placement_problems(table: Appliance) -> list[str]:
    cores = {name: group.cores for name, group in table.groups.items()}
    return placement.problems(table.placement, cores, table.machine.cores)


def _image_problems(table: Appliance) -> list[str]:
    return [
        f"service {name} runs the image {service.image}, which [images] does not have"
        for name, service in table.services.items()
        if service.image not in table.images
    ]


def load(path: Path | None = None) -> Appliance:
    """Read and prove a table: `path`, else `$JIMBOT_TABLE`, else the one in the package.

    Raises:
        TableError: it cannot be read, is not TOML, or does not add up; says where.
    """
    if path is None and os.environ.get("JIMBOT_TABLE"):
        path = Path(os.environ["JIMBOT_TABLE"])
    name = str(path) if path else "appliance.toml"
    try:
        text = (
            path.read_text(encoding="utf-8")
            if path
            else resources.files("jimbot.appliance").joinpath("appliance.toml").read_text("utf-8")
        )
        return Appliance.model_validate(tomllib.loads(text))
    except OSError as error:
        raise TableError(
            f"cannot read the table {name}: {error.strerror}", hint="Check --table or JIMBOT_TABLE"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"the table {name} is not TOML: {error}", hint="Mend that line") from error
    except ValidationError as error:
        raise TableError(
            f"the table {name} does not hold: {_first_problems(error)}",
            hint="Mend it and run: jimbot config check",
        ) from error


def _first_problems(error: ValidationError) -> str:
    parts = []
    for problem in error.errors()[:3]:
        where = ".".join(str(part) for part in problem["loc"])
        what = problem["msg"].removeprefix("Value error, ")
        parts.append(f"{where}: {what}" if where else what)
    return "; ".join(parts)
