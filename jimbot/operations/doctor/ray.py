"""Ray's object store: whether it fits into shared memory, and what was spilled to the disk."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from jimbot import usage
from jimbot.operations.doctor.finding import Finding, Patient
from jimbot.operations.doctor.services import restart
from jimbot.operations.errors import OperationError
from jimbot.operations.machine import choose_profile

_SHARED = Path("/dev/shm")
_MB = 1 << 20


def look(patient: Patient) -> Iterator[Finding]:
    try:
        profile = choose_profile(patient.appliance, usage.profile(patient.home) or "auto")
    except OperationError as error:
        yield Finding(check="ray", severity="warn", seen=f"no training here: {error}")
        return
    store_mb = patient.appliance.profiles[profile].training.object_store_mb
    ours = "ray-head" in (patient.expected or ())
    if _SHARED.is_dir():
        free_mb = shutil.disk_usage(_SHARED).free // _MB
        fits = ours or free_mb >= store_mb  # while it runs, its store is in there already
        yield Finding(
            check="ray",
            severity="ok" if fits else "warn",
            seen=f"/dev/shm has {free_mb} MB free, the object store of profile {profile} takes"
            f" {store_mb} MB",
            mend="" if fits else f"mount -o remount,size={2 * store_mb}m /dev/shm",
            disruptive=True,
        )
    else:
        yield Finding(check="ray", severity="unknown", seen="there is no /dev/shm to look at")
    spill = patient.home.run / "spill"
    spilled_mb = usage.folder_bytes(spill) // _MB if spill.is_dir() else 0
    if not ours and spilled_mb:
        yield Finding(
            check="ray",
            severity="warn",
            seen=f"{spilled_mb} MB of objects are left from a Ray that ended",
            mend=f"rm -rf {shlex.quote(str(spill))}",
        )
    else:
        many = spilled_mb > store_mb
        yield Finding(
            check="ray",
            severity="warn" if many else "ok",
            seen=f"{spilled_mb} MB of objects are spilled to the disk",
            mend=restart(patient, "trainer") if many else "",
            disruptive=True,
        )
