"""The GPU: whether it answers, its memory against the table, its temperature, and who trains on
what.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

from jimbot import usage
from jimbot.operations.doctor.finding import Finding, Patient

_HOT = 87.0  # degrees Celsius; consumer cards throttle a little above
_MB = 1 << 20
_TIMEOUT_S = 10.0


def look(patient: Patient) -> Iterator[Finding]:
    yield _device()
    if shutil.which("nvidia-smi") is None:
        yield Finding(check="gpu", severity="ok", seen="no NVIDIA GPU here: training uses the CPU")
        return
    gpus = usage.gpus()
    if gpus is None:
        yield Finding(
            check="gpu",
            severity="fail",
            seen="nvidia-smi is installed and does not answer",
            mend="nvidia-smi",
            hint="See dmesg for Xid; reload the driver (rmmod nvidia_uvm; modprobe nvidia_uvm), "
            "or reboot",
        )
        return
    limit = patient.appliance.alerts.rules["GpuMemoryHigh"].above or 1.0
    for one in gpus:
        share = one.memory_used / one.memory_size if one.memory_size else 0.0
        full = share > limit
        hot = one.temperature is not None and one.temperature >= _HOT
        heat = "" if one.temperature is None else f", {one.temperature:.0f} °C"
        yield Finding(
            check="gpu",
            severity="warn" if full or hot else "ok",
            seen=f"{one.name}: {one.memory_used // _MB} of {one.memory_size // _MB} MB{heat}",
            hint="Who uses it: nvidia-smi; the table gives training "
            f"{patient.appliance.groups['training'].vram_mb} MB"
            if full
            else "Clean the fans, or lower its power: nvidia-smi -pl WATTS"
            if hot
            else "",
        )
    yield from _errors()


def _errors() -> Iterator[Finding]:
    """Memory pages that wait for a reset; most consumer cards do not tell."""
    try:
        answer = subprocess.run(
            [
                "nvidia-smi",
                "--query-gpu=index,retired_pages.pending,ecc.errors.uncorrected.volatile.total",
                "--format=csv,noheader,nounits",
            ],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding(check="gpu", severity="unknown", seen=f"memory errors not checked: {error}")
        return
    for line in answer.stdout.splitlines():
        index, pending, errors = (cell.strip() for cell in line.split(","))
        if pending == "Yes" or (errors.isdigit() and int(errors)):
            yield Finding(
                check="gpu",
                severity="fail",
                seen=f"GPU {index} has errors in its memory, and wants a reset",
                mend=f"nvidia-smi --gpu-reset -i {index}",
                disruptive=True,
                hint="Stop training first: jimbot drain",
            )


def _device() -> Finding:
    """What training would compute on now."""
    from jimbot.training import device

    found = device.describe()
    chosen = str(found.get("device", "none"))
    reason = str(found.get("reason", ""))
    return Finding(
        check="gpu",
        severity="warn" if chosen == "none" else "ok",
        seen=f"training computes on: {chosen}{f' ({reason})' if reason else ''}",
        hint="" if chosen != "none" else "There is no training here without torch",
    )
