"""`make audit`: whether what JimBot installs is locked by digest and has no known vulnerability.

    python scripts/audit.py [EXTRA…]

Exit code: 0 nothing is known against it, 1 something is, 2 could not be checked (no network, say).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from scripts import lock

TIMEOUT_S = 600


def unlocked(packages: list[lock.Package]) -> list[str]:
    """The packages that some file of has no SHA-256, or that have no files."""
    return [
        package["name"]
        for package in packages
        if not package["files"]
        or any(
            len(file["hash"].removeprefix("sha256:")) != 64
            or not file["hash"].startswith("sha256:")
            for file in package["files"]
        )
    ]


def vulnerable(extras: list[str]) -> tuple[str, list[str]]:
    """What pip-audit says: why it could not look, if so, and what it found."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text("\n".join(lock.requirements(extras, hashes=True)) + "\n")
        command = [
            *(sys.executable, "-m", "pip_audit", "--requirement", str(path), "--require-hashes"),
            *("--disable-pip", "--format", "json", "--progress-spinner", "off"),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error), []
    try:
        dependencies = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
        return (lines or [f"pip-audit ended with {done.returncode}"])[-1][:300], []
    skipped = [one for one in dependencies if "skip_reason" in one]
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}"
        f" (mended in {', '.join(flaw['fix_versions']) or 'no version yet'})"
        for one in dependencies
        for flaw in one.get("vulns", ())
    ]
    if not skipped:
        return "", found
    reason = str(skipped[0]["skip_reason"]).strip().splitlines()[0][:200]
    return f"{len(skipped)} of {len(dependencies)} packages, {skipped[0]['name']}: {reason}", found


def main(extras: list[str]) -> int:
    packages = lock.taken(extras)
    if missing := unlocked(packages):
        print(f"audit: not locked by digest: {', '.join(missing)}", file=sys.stderr)
        return 1
    print(f"audit: {len(packages)} packages, all locked by SHA-256", file=sys.stderr)
    problem, found = vulnerable(extras)
    for line in found:
        print(line)
    if found:
        print("audit: update these and lock again", file=sys.stderr)
        return 1
    if problem:
        print(f"audit: vulnerabilities were NOT CHECKED: {problem}", file=sys.stderr)
        return 2
    print("audit: nothing is known against them", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["all", "dev"]))
