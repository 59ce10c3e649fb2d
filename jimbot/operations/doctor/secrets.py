"""Whether secrets are for their owner's eyes alone."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator

from jimbot.operations.doctor.finding import Finding, Patient

# Certificates are for everybody.
_PUBLIC = (".pem", ".crt")


def look(patient: Patient) -> Iterator[Finding]:
    folder = patient.home.path / "secrets"
    if not folder.is_dir():
        yield Finding(check="secrets", severity="ok", seen=f"there are none in {folder}")
        return
    bad = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and stat.S_IMODE(path.stat().st_mode) & 0o077
        and not (path.suffix in _PUBLIC and "key" not in path.name)
    ]
    for path in bad:
        yield Finding(
            check="secrets",
            severity="fail",
            seen=f"{path} can be read by others",
            mend=f"chmod 600 {shlex.quote(str(path))}",
        )
    if not bad:
        yield Finding(check="secrets", severity="ok", seen="only their owner can read them")
