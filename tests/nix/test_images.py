"""What packs images and looks into them; and, with `soak`, the flake's images run by podman."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from jimbot.appliance import Appliance
from tests.nix.lab import ROOT, Lab

GOOD = {
    "User": "65532:65532",
    "WorkingDir": "/home",
    "Healthcheck": {"Test": ["CMD", "/bin/jimbot", "health"]},
    "Labels": {
        "org.opencontainers.image.version": "0",
        "org.opencontainers.image.licenses": "MIT",
    },
}
FILES = ("etc/ssl/certs/ca-bundle.crt", "share/zoneinfo", "etc/passwd", "bin/jimbot")


@pytest.fixture(scope="module")
def images() -> ModuleType:
    spec = importlib.util.spec_from_file_location("images", ROOT / "nix/images.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stream(
    folder: Path,
    name: str,
    layers: list[dict[str, bytes]],
    *,
    owner: int = 65532,
    time: int = 1,
    **config: Any,
) -> Path:
    """A script that writes a docker archive, as the flake's streams do."""
    archive = folder / f"{name}.tar"
    with tarfile.open(archive, "w") as out:

        def add(path: str, data: bytes) -> None:
            member = tarfile.TarInfo(path)
            member.size = len(data)
            out.addfile(member, io.BytesIO(data))

        for number, files in enumerate(layers):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as layer:
                home = tarfile.TarInfo("./home")
                home.type, home.uid, home.mtime = tarfile.DIRTYPE, owner, 315532800
                layer.addfile(home)
                for path, data in files.items():
                    member = tarfile.TarInfo(path)
                    member.size, member.mtime = len(data), time
                    layer.addfile(member, io.BytesIO(data))
            add(f"{number}/layer.tar", buffer.getvalue())
        document = {"created": "1970-01-01T00:00:01+00:00", "config": {**GOOD, **config}}
        add("config.json", json.dumps(document).encode())
        entry = {
            "Config": "config.json",
            "RepoTags": [f"{name}:1"],
            "Layers": [f"{number}/layer.tar" for number in range(len(layers))],
        }
        add("manifest.json", json.dumps([entry]).encode())
    script = folder / f"stream-{name}"
    script.write_text(f"#!/bin/sh\nexec cat {archive}\n")
    script.chmod(0o755)
    return script


BASE = dict.fromkeys(FILES, b"x" * 5000)


def test_a_layer_of_two_images_is_kept_once(images: ModuleType, tmp_path: Path) -> None:
    scripts = {
        "one": str(stream(tmp_path, "one", [BASE, {"a": b"1"}])),
        "two": str(stream(tmp_path, "two", [BASE, {"b": b"2"}])),
    }
    manifest = images.pack(scripts, {"one": 1, "two": 1}, tmp_path)
    one, two = manifest["images"]["one"], manifest["images"]["two"]
    shared = one["layers"][0]
    assert shared == two["layers"][0]
    assert one["shared_size"] == shared["size"] == manifest["shared_by_layers"]
    assert one["reference"] == "one:1"
    assert one["digest"].startswith("sha256:")
    with tarfile.open(tmp_path / "images.tar") as archive:
        names = archive.getnames()
    assert len([name for name in names if name.endswith("layer.tar")]) == 3
    assert images.check(tmp_path / "images.tar", {}) == []


def test_packing_twice_gives_the_same_bytes(images: ModuleType, tmp_path: Path) -> None:
    script = {"one": str(stream(tmp_path, "one", [BASE]))}
    images.pack(script, {"one": 1}, tmp_path)
    first = (tmp_path / "images.tar").read_bytes()
    images.pack(script, {"one": 1}, tmp_path)
    assert (tmp_path / "images.tar").read_bytes() == first


def test_an_image_over_its_budget_is_refused(images: ModuleType, tmp_path: Path) -> None:
    script = {"one": str(stream(tmp_path, "one", [{**BASE, "big": bytes(2 << 20)}]))}
    with pytest.raises(images.Refused, match="its budget in the table is 1 MB"):
        images.pack(script, {"one": 1}, tmp_path)


@pytest.mark.parametrize(
    ("files", "config", "complaint"),
    [
        ({"bin/sh": b""}, {}, "bin/sh is in it"),
        ({"nix/store/x-apt/bin/apt-get": b""}, {}, "apt-get is in it"),
        ({"lib/python3.11/site-packages/torch/a": b""}, {}, "the package torch is in it"),
        ({}, {"User": "0"}, "it runs as root"),
        ({}, {"User": ""}, "it runs as root"),
        ({}, {"Healthcheck": {}}, "it has no healthcheck"),
        ({}, {"Labels": {}}, "it has no label"),
    ],
)
def test_what_has_no_place_in_an_image_is_seen(
    images: ModuleType,
    tmp_path: Path,
    files: dict[str, bytes],
    config: dict[str, Any],
    complaint: str,
) -> None:
    script = {"one": str(stream(tmp_path, "one", [{**BASE, **files}], **config))}
    images.pack(script, {"one": 1}, tmp_path)
    found = images.check(tmp_path / "images.tar", {"one": ["torch"]})
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"owner": 0}, "its home /home is not its user's"),
        ({"time": 1_700_000_000}, "bin/jimbot has the time 1700000000"),
    ],
)
def test_what_is_wrong_with_files_is_seen(
    images: ModuleType, tmp_path: Path, given: dict[str, int], complaint: str
) -> None:
    script = {"one": str(stream(tmp_path, "one", [BASE], **given))}
    images.pack(script, {"one": 1}, tmp_path)
    assert f"one: {complaint}" in images.check(tmp_path / "images.tar", {})


def test_an_image_without_certificates_is_seen(images: ModuleType, tmp_path: Path) -> None:
    script = {"one": str(stream(tmp_path, "one", [{"bin/jimbot": b""}]))}
    images.pack(script, {"one": 1}, tmp_path)
    found = images.check(tmp_path / "images.tar", {})
    assert "one: etc/ssl/certs/ca-bundle.crt is missing" in found


@pytest.fixture(scope="module")
def built(lab: Lab) -> Path:
    """The flake's images, over the stand-ins."""
    return lab.build("packages.x86_64-linux.images")


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_has_no_place_in_the_images_of_the_flake(images: ModuleType, built: Path) -> None:
    assert images.check(built / "images.tar", {}) == []


def podman(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(
        ["podman", *arguments], capture_output=True, text=True, timeout=300, check=False
    )
    if check and done.returncode:
        raise AssertionError(f"podman {' '.join(arguments)}: {done.stderr}")
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def loaded(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The flake's images, loaded by their own script."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    manifest = json.loads((built / "manifest.json").read_text())
    store = tmp_path_factory.mktemp("podman")
    configuration = store / "containers.conf"
    configuration.write_text(
        '[containers]\ndefault_ulimits=["nofile=1024:1024","nproc=1024:1024"]\n'
        '[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\nevents_logger="file"\n'
    )
    patch = pytest.MonkeyPatch()
    patch.setenv("CONTAINERS_CONF", str(configuration))
    try:
        subprocess.run([built / "load"], check=True, timeout=600, capture_output=True)
        yield manifest
    finally:
        names = [row["reference"] for row in manifest["images"].values()]
        podman("rmi", "--force", *names, check=False)
        patch.undo()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_images_of_the_flake_run(loaded: dict[str, Any], table: Appliance) -> None:
    ours = {name for name, image in table.images.items() if image.ours}
    assert set(loaded["images"]) == ours
    assert loaded["shared_by_layers"] > loaded["size"] / 2
    closed = ("--rm", "--read-only", "--cap-drop=all", "--network=none", "--memory=256m")
    for name in sorted(ours):
        reference = loaded["images"][name]["reference"]
        configuration = json.loads(podman("image", "inspect", reference))[0]
        assert configuration["Id"] == loaded["images"][name]["digest"].removeprefix("sha256:")
        assert configuration["Healthcheck"]["Test"][0] == "CMD"
        assert configuration["Created"].startswith("1970-01-01T00:00:01")
        said = podman("run", *closed, reference, "config", "check")
        assert "the table holds" in said
    edge = loaded["images"]["jimbot-edge"]["reference"]
    assert "executable file" in podman("run", *closed, "--entrypoint=sh", edge, check=False)


def mounted(volume: str, folder: Path) -> str:
    """A volume whose outer side is in a folder of the test's, unless it is in the store."""
    outer, _, inner = volume.partition(":")
    if outer.startswith("/nix/"):
        return volume
    there = folder / outer.lstrip("/")
    there.mkdir(parents=True, exist_ok=True)
    os.chown(there, 65532, 65532)
    return f"{there}:{inner}"


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.skipif(os.geteuid() != 0, reason="a network of its own needs root")
def test_the_containers_of_a_host_are_led_into_and_see_nothing_else(
    loaded: dict[str, Any], lab: Lab, contained: dict[str, Any], tmp_path: Path
) -> None:
    """The module's own words, but for slices and cores, which this machine may not have."""
    lab.build("containedUnits")  # has the table that the containers mount
    wanted = ("jimbot-network", "jimbot-mcp", "jimbot-claude")
    left_out = ("--cgroup-parent=", "--cpuset-cpus=", "--oom-score-adj=")
    outside = contained["services"]["jimbot-outside"]["serviceConfig"]["ExecStart"].split()[1:]
    sockets = tmp_path / "run/jimbot-sockets"
    led = [str(sockets) if part == "/run/jimbot-sockets" else part for part in outside]
    table = contained["containers"]["jimbot-network"]["environment"]["JIMBOT_TABLE"]
    try:
        for name in wanted:
            told = contained["containers"][name]
            podman(
                *("run", "--detach", f"--name={name}", "--user=65532:65532"),
                *(f"--env={key}={value}" for key, value in told["environment"].items()),
                *(f"--volume={mounted(volume, tmp_path)}" for volume in told["volumes"]),
                *(each for each in told["extraOptions"] if not each.startswith(left_out)),
                *(told["image"], *told["cmd"]),
            )
        for service in ("mcp", "claude"):
            asked = ("health", service, "--wait", "--timeout", "120")
            podman("exec", "jimbot-network", "/bin/jimbot", *asked)
        # A loopback of the test's own stands for the host's.
        script = (
            'ip link set lo up; $JIMBOT forward "$@" & '
            "$JIMBOT health mcp claude --wait --timeout 120; code=$?; kill $!; exit $code"
        )
        done = subprocess.run(
            ["unshare", "--net", "bash", "-c", script, "bash", *led[1:]],
            env={
                **os.environ,
                "JIMBOT": f"{sys.executable} -m jimbot --table {table} --home {tmp_path}/host",
            },
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert led[0] == "forward"
        assert done.returncode == 0, done.stdout + done.stderr
        # What they see of the world is loopback.
        interfaces = Path(
            "/proc", podman("inspect", "--format={{.State.Pid}}", "jimbot-mcp").strip(), "net/dev"
        ).read_text()
        assert [line.split(":")[0].strip() for line in interfaces.splitlines()[2:]] == ["lo"]
    finally:
        for name in reversed(wanted):
            podman("rm", "--force", "--time=1", name, check=False)
