"""What JimBot is made of: a CycloneDX bill of materials, and the list of licences.

    python scripts/sbom.py > sbom.json         # of all extras; the same bytes for the same lock
    python scripts/sbom.py core edge…          # `core` alone, or with the extras named
    python scripts/sbom.py --licences > docs/licences.md

The bill is made from poetry.lock and docs/licences.md alone. The list is made from what is
installed, which says its licence; what is not installed here keeps the line it had.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from scripts import lock

LICENCES = lock.ROOT / "docs" / "licences.md"
UNKNOWN = "not stated"
_HEAD = """\
# Licences

What JimBot installs, and under which licence, as each package states it. Made by
`python scripts/sbom.py --licences > docs/licences.md`; `python scripts/sbom.py` writes the same
with digests as a CycloneDX bill of materials. JimBot itself is under the MIT licence. The CUDA
libraries come with torch where there is an NVIDIA GPU, under NVIDIA's own terms.

| package | version | licence |
|---|---|---|
"""
_ROW = re.compile(r"^\| (?P<name>\S+) \| (?P<version>\S+) \| (?P<licence>.+) \|$")


def bill(extras: list[str], root: Path = lock.ROOT) -> dict[str, Any]:
    """The bill of materials of the core and some extras, as CycloneDX 1.6."""
    project = lock._project(root)
    packages = lock.taken(extras, root)
    licences = known_licences()
    components = [_component(package, licences) for package in packages]
    names = "\n".join(component["purl"] for component in components)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        # From the content, so that the same lock gives the same bytes.
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, names)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "jimbot",
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
    }


def _component(package: lock.Package, licences: dict[str, str]) -> dict[str, Any]:
    name = lock._normal(package["name"])
    purl = f"pkg:pypi/{name}@{package['version']}"
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": package["version"],
        "purl": purl,
        "externalReferences": [
            {
                "type": "distribution",
                "url": f"https://pypi.org/project/{name}/{package['version']}/",
                "comment": file["file"],
                "hashes": [{"alg": "SHA-256", "content": file["hash"].removeprefix("sha256:")}],
            }
            for file in sorted(package["files"], key=lambda file: str(file["file"]))
        ],
    }
    if package.get("description"):
        found["description"] = package["description"]
    licence = licences.get(name, UNKNOWN)
    if licence != UNKNOWN:
        found["licenses"] = [{"license": {"name": licence}}]
    return found


def known_licences(path: Path = LICENCES) -> dict[str, str]:
    """Package → licence, as the list in docs has it."""
    if not path.exists():
        return {}
    rows = map(_ROW.match, path.read_text("utf-8").splitlines())
    return {row["name"]: row["licence"] for row in rows if row}


def licences() -> str:
    """The list, as Markdown."""
    before = known_licences()
    rows = []
    for package in lock.taken(["all", "dev"]):
        name = lock._normal(package["name"])
        licence = _installed(name) or before.get(name, UNKNOWN)
        rows.append(f"| {name} | {package['version']} | {licence} |\n")
    return _HEAD + "".join(rows)


def _installed(name: str) -> str | None:
    try:
        told = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    classified = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    stated = _field(told, "License-Expression") or ", ".join(sorted(set(classified)))
    stated = stated or _field(told, "License").strip().partition("\n")[0]
    return stated.replace("|", "/").strip()[:100] or None


def _field(told: importlib.metadata.PackageMetadata, name: str) -> str:
    return str(told[name]) if name in told else ""


def main(arguments: list[str]) -> str:
    """What to print for a command line."""
    if arguments == ["--licences"]:
        return licences()
    extras = [one for one in arguments if one != "core"] if arguments else ["all"]
    return json.dumps(bill(extras), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]))
