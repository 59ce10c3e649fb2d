"""Processes that never outlive their supervisor: Linux's means, and counting their memory."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable

import psutil

SUPERVISOR_PID = "JIMBOT_SUPERVISOR_PID"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent dies."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_supervisor() -> None:
    """Have the kernel send SIGTERM to this process when the supervisor that started it dies."""
    if not (pid := os.environ.get(SUPERVISOR_PID)):
        return
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(pid):  # it died before the line above
        os.kill(os.getpid(), signal.SIGTERM)


def tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants; empty when it is gone."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_mb(processes: Iterable[psutil.Process]) -> float:
    """Resident memory of the processes together, in MiB; pages they share count once each."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / (1 << 20)


def kill(processes: Iterable[psutil.Process], *, wait_s: float = 2.0) -> list[psutil.Process]:
    """Kill processes and wait for their end; returns those that are still there."""
    processes = list(processes)
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    return psutil.wait_procs(processes, timeout=wait_s)[1]
