"""Puts this machine's Python into store paths: `pack.py interpreter|packages|application OUT …`."""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from py_compile import PycInvalidationMode

UNCHECKED = PycInvalidationMode.UNCHECKED_HASH
SKIP = shutil.ignore_patterns(
    "__pycache__",
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "lib2to3",
    "ensurepip",
    "config-3*",
    "site-packages",
    "turtledemo",
    "_test*.so",
    "*.a",
)


def libraries(files: Iterable[Path]) -> set[Path]:
    """The shared libraries that files are linked with, outside their own folders."""
    found: set[Path] = set()
    for file in files:
        text = subprocess.run(["ldd", file], capture_output=True, text=True).stdout
        found |= {Path(path) for path in re.findall(r"=> (/\S+)", text)}
    return found


def interpreter(out: Path, launcher: Path) -> None:
    """The interpreter, its standard library, what they are linked with, and the loader."""
    prefix = Path(sys.base_prefix)
    for folder in ("bin", "lib", "libexec"):
        (out / folder).mkdir(parents=True)
    shutil.copy(prefix / "bin" / "python3.11", out / "libexec" / "python3.11")
    python = out / "bin" / "python3.11"
    subprocess.run(
        ["cc", "-static", "-O2", "-o", python, f'-DPYTHON="{out}"', launcher], check=True
    )
    shutil.copytree(prefix / "lib" / "python3.11", out / "lib" / "python3.11", ignore=SKIP)
    modules = (out / "lib" / "python3.11" / "lib-dynload").glob("*.so")
    for library in libraries([prefix / "bin" / "python3.11", *modules]) | standard():
        shutil.copy(library, out / "lib" / library.name)
    loader = subprocess.run(["ldd", "/bin/true"], capture_output=True, text=True).stdout
    shutil.copy(re.search(r"(/lib\S*ld-linux\S+)", loader)[1], out / "lib" / "ld.so")
    compileall.compile_dir(out / "lib" / "python3.11", quiet=2, invalidation_mode=UNCHECKED)


def standard() -> set[Path]:
    """What compiled wheels are linked with and expect of a system."""
    wanted = (
        "libstdc++.so.6",
        "libgcc_s.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "libdl.so.2",
        "librt.so.1",
        "libz.so.1",
        "libresolv.so.2",
        "libnss_files.so.2",
        "libutil.so.1",
    )
    folders = (Path("/lib/x86_64-linux-gnu"), Path("/usr/lib/x86_64-linux-gnu"))
    return {folder / name for folder in folders for name in wanted if (folder / name).exists()}


def requirements(project: Path, extras: list[str]) -> set[str]:
    """The distributions that JimBot wants with these extras, all the way down."""
    from packaging.markers import default_environment
    from packaging.requirements import Requirement

    poetry = tomllib.loads(project.read_text())["tool"]["poetry"]
    optional = {name for each in poetry["extras"].values() for name in each}
    names = set(poetry["dependencies"]) - {"python"} - optional
    names |= {name for extra in extras for name in poetry["extras"][extra]}
    environment = default_environment()
    done: set[tuple[str, str]] = set()
    waiting = {(name, "") for name in names}
    while waiting:
        name, extra = key = waiting.pop()
        done.add(key)
        for text in metadata.distribution(name).requires or []:
            wanted = Requirement(text)
            if wanted.marker is None or wanted.marker.evaluate({**environment, "extra": extra}):
                deeper = re.sub(r"[-_.]+", "-", wanted.name).lower()
                waiting |= {(deeper, part) for part in ("", *wanted.extras)} - done
    return {name for name, _ in done}


def packages(out: Path, project: Path, extras: list[str], without: list[Path]) -> None:
    """The installed distributions of the extras, but for those that other store paths have."""
    there = {line for path in without for line in (path / "distributions").read_text().split()}
    names = requirements(project, extras) - there
    out.mkdir(parents=True)
    for name in sorted(names):
        distribution = metadata.distribution(name)
        for file in distribution.files or []:
            source = Path(distribution.locate_file(file))
            if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
                continue
            target = out / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    (out / "distributions").write_text("\n".join(sorted(names | there)) + "\n")
    compileall.compile_dir(out, quiet=2, invalidation_mode=UNCHECKED)


def application(out: Path, source: Path) -> None:
    shutil.copytree(source / "jimbot", out / "jimbot", ignore=SKIP)
    for path in out.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    compileall.compile_dir(out, quiet=2, invalidation_mode=UNCHECKED)


if __name__ == "__main__":
    command, out, *rest = sys.argv[1:]
    assert sysconfig.get_python_version() == "3.11"
    if command == "interpreter":
        interpreter(Path(out), Path(rest[0]))
    elif command == "packages":
        project, extras, *without = rest
        packages(
            Path(out), Path(project), [e for e in extras.split(",") if e], [*map(Path, without)]
        )
    else:
        application(Path(out), Path(rest[0]))
