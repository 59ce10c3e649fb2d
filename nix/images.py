"""Packs images into one archive, and looks into them: `images.py pack|check`.

`pack` runs the scripts that stream each image, keeps every layer once, and writes `images.tar`
(a docker archive with all images) and `manifest.json`. `check` reads such an archive and says what
should not be in it. Standard library only: it runs inside the Nix sandbox.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO

MB = 1 << 20
# What nobody needs in an image that runs one program. A path's last part, in any bin directory.
SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "fish", "busybox", "toybox", "su", "sudo"})
INSTALLERS = frozenset(
    {"apt", "apt-get", "dpkg", "apk", "dnf", "rpm", "nix", "nix-env", "pip", "pip3"}
)
UNWANTED = SHELLS | INSTALLERS | {"curl", "wget", "gcc", "cc"}
NEEDED = ("etc/ssl/certs/ca-bundle.crt", "share/zoneinfo", "etc/passwd", "bin/jimbot")
EPOCH = 1  # second 1 of 1970, the time of everything in a Nix store
SOURCE_DATE_EPOCH = 315532800  # 1980, nixpkgs': the time of a layer that no store path is


class Refused(Exception):
    """An image is not as it should be."""


def copy_tar(source: BinaryIO, folder: Path) -> tuple[str, dict[str, Any], list[Path]]:
    """Unpack one docker archive's parts into `folder`; its tag, its config, its layers in order."""
    documents: dict[str, bytes] = {}
    layers: dict[str, Path] = {}
    with tarfile.open(fileobj=source, mode="r|") as archive:
        for member in archive:
            data = archive.extractfile(member)
            if data is None:
                continue
            if not member.name.endswith(".tar"):
                documents[member.name] = data.read()
                continue
            digest = hashlib.sha256()
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                while block := data.read(MB):
                    digest.update(block)
                    file.write(block)
            layer = folder / digest.hexdigest()
            Path(file.name).rename(layer)
            layers[member.name] = layer
    entry = json.loads(documents["manifest.json"])[0]
    config = json.loads(documents[entry["Config"]])
    return entry["RepoTags"][0], config, [layers[name] for name in entry["Layers"]]


def add(archive: tarfile.TarFile, name: str, size: int, source: BinaryIO) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = size, EPOCH, 0o444
    archive.addfile(member, source)


def pack(images: dict[str, str], budgets: dict[str, int], out: Path) -> dict[str, Any]:
    """Write `images.tar` and `manifest.json`; the manifest.

    Raises:
        Refused: an image is over its budget.
    """
    entries: list[dict[str, Any]] = []
    described: dict[str, Any] = {}
    uses: Counter[str] = Counter()
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory(dir=out) as scratch, (out / "images.tar").open("wb") as file:
        folder = Path(scratch)
        archive = tarfile.open(fileobj=file, mode="w|")  # noqa: SIM115
        written: set[str] = set()
        for name, script in images.items():
            stream = subprocess.Popen([script], stdout=subprocess.PIPE)
            assert stream.stdout is not None
            tag, config, layers = copy_tar(stream.stdout, folder)
            if stream.wait():
                raise Refused(f"{name}: {script} ended with {stream.returncode}")
            for layer in dict.fromkeys(layers):
                sizes[layer.name] = layer.stat().st_size
                if layer.name not in written:
                    written.add(layer.name)
                    with layer.open("rb") as source:
                        add(archive, f"{layer.name}/layer.tar", sizes[layer.name], source)
                layer.write_bytes(b"")  # its size is known, and it is written
            data = json.dumps(config, sort_keys=True).encode()
            digest = hashlib.sha256(data).hexdigest()
            add(archive, f"{digest}.json", len(data), io.BytesIO(data))
            entries.append(
                {
                    "Config": f"{digest}.json",
                    "RepoTags": [tag],
                    "Layers": [f"{layer.name}/layer.tar" for layer in layers],
                }
            )
            uses.update({layer.name for layer in layers})
            described[name] = {
                "reference": tag,
                "digest": f"sha256:{digest}",
                "size": sum(sizes[layer.name] for layer in layers),
                "budget": budgets[name] * MB,
                "layers": [
                    {"digest": f"sha256:{layer.name}", "size": sizes[layer.name]}
                    for layer in layers
                ],
            }
        data = json.dumps(entries).encode()
        add(archive, "manifest.json", len(data), io.BytesIO(data))
        archive.close()
    for row in described.values():
        shared = [layer for layer in row["layers"] if uses[layer["digest"][7:]] > 1]
        row["shared_size"] = sum(layer["size"] for layer in shared)
    apart = sum(row["size"] for row in described.values())
    together = sum(sizes.values())
    manifest = {
        "images": described,
        "size": together,
        "size_without_sharing": apart,
        "shared_by_layers": apart - together,
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    over = [
        f"{name} has {row['size'] / MB:.0f} MB, its budget in the table is {budgets[name]} MB"
        for name, row in described.items()
        if row["size"] > row["budget"]
    ]
    if over:
        raise Refused("; ".join(over))
    return manifest


def faults(name: str, config: dict[str, Any], members: list[tarfile.TarInfo]) -> list[str]:
    """What is wrong with one image, given what all its layers hold."""
    settings = config["config"]
    found = []
    user = settings.get("User", "").split(":")[0]
    if not user or user in ("0", "root"):
        found.append("it runs as root")
    if not settings.get("Healthcheck", {}).get("Test"):
        found.append("it has no healthcheck")
    labels = settings.get("Labels", {})
    found += [
        f"it has no label {label}"
        for label in ("org.opencontainers.image.version", "org.opencontainers.image.licenses")
        if not labels.get(label)
    ]
    if not config["created"].startswith("1970-01-01T00:00:01"):
        found.append(f"it says that it was made at {config['created']}")
    owners = {member.name.removeprefix("./").rstrip("/"): member.uid for member in members}
    found += [f"{path} is missing" for path in NEEDED if path not in owners]
    home = settings.get("WorkingDir", "").lstrip("/")
    if str(owners.get(home)) != user:
        found.append(f"its home /{home} is not its user's")
    for member in members:
        path = member.name.removeprefix("./")
        parts = path.split("/")
        if len(parts) > 1 and parts[-2] in ("bin", "sbin") and parts[-1] in UNWANTED:
            found.append(f"{path} is in it")
        if member.isfile() and member.mode & 0o6000:
            found.append(f"{path} is setuid or setgid")
        if member.mtime not in (EPOCH, SOURCE_DATE_EPOCH):
            found.append(f"{path} has the time {member.mtime}")
        if member.isfile() and member.mode & 0o002:
            found.append(f"everybody may write {path}")
    return [f"{name}: {fault}" for fault in found]


def check(archive: Path, forbidden: dict[str, list[str]]) -> list[str]:
    """What is wrong with the images of an archive; `forbidden` are packages, an image."""
    found: list[str] = []
    with tarfile.open(archive) as images:
        entries = json.loads(images.extractfile("manifest.json").read())  # type: ignore[union-attr]
        layers: dict[str, list[tarfile.TarInfo]] = {}
        for entry in entries:
            name = entry["RepoTags"][0].split(":")[0]
            config = json.loads(images.extractfile(entry["Config"]).read())  # type: ignore[union-attr]
            members: list[tarfile.TarInfo] = []
            for path in entry["Layers"]:
                if path not in layers:
                    with tarfile.open(fileobj=images.extractfile(path)) as layer:
                        layers[path] = layer.getmembers()
                members += layers[path]
            found += faults(name, config, members)
            packages = {part for m in members for part in m.name.split("/")}
            found += [
                f"{name}: the package {package} is in it"
                for package in forbidden.get(name, [])
                if package in packages
            ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("--budgets", type=Path, required=True)
    packing.add_argument("--out", type=Path, required=True)
    packing.add_argument("images", nargs="+", metavar="NAME=SCRIPT")
    checking = commands.add_parser("check")
    checking.add_argument("archive", type=Path)
    options = parser.parse_args()
    if options.command == "pack":
        images = dict(image.split("=", 1) for image in options.images)
        try:
            manifest = pack(images, json.loads(options.budgets.read_text()), options.out)
        except Refused as error:
            print(f"images: {error}", file=sys.stderr)
            return 1
        print(
            f"images: {len(images)} in {manifest['size'] / MB:.0f} MB,"
            f" {manifest['shared_by_layers'] / MB:.0f} MB saved by shared layers"
        )
        return 0
    found = check(options.archive, {"jimbot-edge": ["ray", "torch"]})
    for line in found:
        print(f"images: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
