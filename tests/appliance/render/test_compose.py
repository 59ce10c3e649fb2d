"""The Compose file holds by the parts of the specification that it uses, and by the table."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from jimbot.appliance import Appliance
from jimbot.appliance.render import render

ENVIRONMENTS = ("development", "staging", "production")
Duration = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(ms|s|m|h)$")]
Size = Annotated[str, Field(pattern=r"^\d+[kKmMgG]$")]
Volume = Annotated[str, Field(pattern=r"^[a-z]+:/[^:]+(:ro)?$")]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Limits(Part):
    memory: Size
    cpus: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
    pids: int


class Device(Part):
    driver: str
    count: int
    capabilities: list[str]


class Reservations(Part):
    devices: list[Device]


class Resources(Part):
    limits: Limits
    reservations: Reservations | None = None


class Deploy(Part):
    resources: Resources


class Depends(Part):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Healthcheck(Part):
    test: list[str]
    interval: Duration
    timeout: Duration
    start_period: Duration
    retries: int


class Mounted(Part):
    source: str
    target: str


class Logging(Part):
    driver: Literal["json-file"]
    options: dict[str, str]


class OneNetwork(Part):
    ipv4_address: str


class Service(Part):
    """What we use of a service in the Compose specification."""

    image: str
    command: list[str]
    deploy: Deploy
    read_only: bool
    tmpfs: list[str]
    cap_drop: list[str]
    cap_add: list[str] = []
    security_opt: list[str]
    user: str = ""
    network_mode: Annotated[str, Field(pattern="^service:")] = "service:"
    networks: dict[str, OneNetwork] = {}
    ports: list[Annotated[str, Field(pattern=r"^127\.0\.0\.1:\d+:\d+$")]] = []
    depends_on: dict[str, Depends] = {}
    environment: dict[str, str] = {}
    volumes: list[Volume] = []
    configs: list[Mounted] = []
    secrets: list[str] = []
    healthcheck: Healthcheck | None = None
    restart: Literal["no", "always", "on-failure", "unless-stopped"] = "no"
    stop_grace_period: Duration = "10s"
    cpuset: str = ""
    shm_size: Size | None = None
    profiles: list[str] = []
    logging: Logging | None = None


class Subnet(Part):
    subnet: str


class Ipam(Part):
    config: list[Subnet]


class Network(Part):
    ipam: Ipam


class Referenced(Part):
    file: str


class Empty(Part):
    pass


class Project(Part):
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    services: dict[str, Service]
    networks: dict[str, Network]
    volumes: dict[str, Empty]
    configs: dict[str, Referenced]
    secrets: dict[str, Referenced]


@pytest.fixture
def served(raw_table: Callable[[], dict[str, Any]]) -> Appliance:
    table = raw_table()
    for store in ("log", "series", "graph"):
        table["stores"][store]["engine"] = "server"
    return Appliance.model_validate(table)


def project(appliance: Appliance, environment: str) -> Project:
    text = render("compose", appliance, environment)["compose.yaml"]
    return Project.model_validate(yaml.safe_load(text))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_it_holds_and_every_name_in_it_is_there(served: Appliance, environment: str) -> None:
    found = project(served, environment)
    for name, service in found.services.items():
        assert set(service.depends_on) <= set(found.services), name
        assert {volume.split(":")[0] for volume in service.volumes} <= set(found.volumes), name
        assert set(service.secrets) <= set(found.secrets), name
        assert set(service.networks) <= set(found.networks), name
        assert {each.source for each in service.configs} <= set(found.configs), name
    assert ("backup" in found.services) == getattr(served.environments, environment).backups


def test_servers_are_told_what_the_table_tells_them(served: Appliance) -> None:
    found = project(served, "production").services
    for name in ("memgraph", "questdb", "eventstore"):
        row = served.service(name)
        image = served.images[row.image]
        assert found[name].environment == image.environment
        assert found[name].command == image.told(row.memory_mb * served.placement.memory_high)
        assert found[name].volumes == [f"{name}:{image.data}"]


def test_limits_and_cores_are_the_tables(served: Appliance) -> None:
    found = project(served, "production")
    for name in set(found.services) - {"network", "backup"}:
        row = served.service(name)
        assert found.services[name].deploy.resources.limits.memory == f"{row.memory_mb}M"
        assert found.services[name].cpuset == served.placement.cpus[row.group]
        assert found.services[name].healthcheck is not None
    assert found.services["trainer"].deploy.resources.reservations is not None


def test_a_worker_and_the_trainer_join_rays_head(served: Appliance) -> None:
    found = project(served, "production").services
    port = served.service("ray-head").ports["gcs"]
    for name in ("ray-head", "ray-worker", "trainer"):
        assert found[name].environment["JIMBOT_RAY_HEAD"] == f"127.0.0.1:{port}"
    assert "JIMBOT_RAY_HEAD" not in found["mcp"].environment
    assert found["ray-worker"].depends_on["ray-head"].condition == "service_healthy"


def test_only_mcp_is_open_and_on_loopback_alone(served: Appliance) -> None:
    found = project(served, "production")
    websocket = served.service("mcp").ports["websocket"]
    opened = {name: each.ports for name, each in found.services.items() if each.ports}
    assert opened == {"network": [f"127.0.0.1:{websocket}:{websocket}"]}
    for name, service in found.services.items():
        assert service.cap_drop == ["ALL"]
        assert service.read_only
        assert (service.network_mode == "service:network") == (name != "network")


def test_ports_are_passed_from_the_networks_address_to_loopback(served: Appliance) -> None:
    network = project(served, "production").services["network"]
    address = network.networks["inside"].ipv4_address
    # Not 0.0.0.0: the services have the same ports of loopback.
    assert network.command[:2] == ["forward", address]
    assert str(served.service("mcp").ports["websocket"]) in network.command


def test_no_secret_is_in_it(served: Appliance) -> None:
    found = project(served, "production")
    assert found.services["claude"].secrets == ["claude"]
    assert found.secrets["claude"].file == "${JIMBOT_SECRETS:-./secrets}/claude"
    assert project(served, "development").services["claude"].secrets == []


def test_the_table_beside_it_is_the_same(served: Appliance) -> None:
    text = render("compose", served, "production")["appliance.toml"]
    assert Appliance.model_validate(tomllib.loads(text)) == served
