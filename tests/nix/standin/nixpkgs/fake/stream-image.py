"""`stream-image.py layer FOLDER OWNERS`, `stream-image.py image CONF.json`: an archive to stdout.

As nixpkgs' dockerTools write them: names, owners and times in layers are theirs.
"""

import hashlib
import io
import json
import os
import sys
import tarfile
from datetime import datetime
from pathlib import Path

FIRST, SOURCE_DATE_EPOCH = 1, 315532800


def add(archive, path, name, when, owner="0:0"):
    member = archive.gettarinfo(path, name)
    member.name = name
    member.mtime = when
    member.uid, member.gid = map(int, owner.split(":"))
    member.uname = member.gname = ""
    if member.islnk():
        member.type, member.linkname, member.size = tarfile.REGTYPE, "", os.stat(path).st_size
    if member.isfile():
        with open(path, "rb") as file:
            archive.addfile(member, file)
    else:
        archive.addfile(member)


def layer(folder, owners):
    given = dict(line.split(" ", 1)[::-1] for line in Path(owners).read_text().splitlines())
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for path in [folder, *sorted(Path(folder).rglob("*"))]:
            name = os.path.relpath(path, folder)
            shown = name if name == "." else f"./{name}"
            add(archive, path, shown, SOURCE_DATE_EPOCH, given.get(name, "0:0"))


def store(paths):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in ("/nix", "/nix/store"):
            add(archive, "/nix/store", folder, FIRST)
        for path in map(Path, paths):
            for each in [path, *([] if path.is_symlink() else sorted(path.rglob("*")))]:
                add(archive, each, str(each), FIRST)
    return buffer.getvalue()


def image(conf):
    given = json.loads(Path(conf).read_text())
    paths = Path(given["paths"]).read_text().split()
    paths.remove(given["without"])
    alone = given["maxLayers"] - 2
    groups = [[path] for path in paths[:alone]] + ([paths[alone:]] if paths[alone:] else [])
    layers = [*map(store, groups), Path(given["layer"]).read_bytes()]
    sums = [hashlib.sha256(data).hexdigest() for data in layers]
    created = datetime.fromisoformat(given["created"]).isoformat()
    document = {
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": given["config"],
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{each}" for each in sums]},
    }
    text = json.dumps(document).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    entry = {
        "Config": name,
        "RepoTags": [given["repo_tag"]],
        "Layers": [f"{each}/layer.tar" for each in sums],
    }
    files = {f"{each}/layer.tar": data for each, data in zip(sums, layers, strict=True)}
    files |= {name: text, "manifest.json": json.dumps([entry]).encode()}
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for path, data in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mtime = len(data), FIRST
            archive.addfile(member, io.BytesIO(data))


if __name__ == "__main__":
    {"layer": layer, "image": image}[sys.argv[1]](*sys.argv[2:])
