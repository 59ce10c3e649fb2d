"""Running restic: one repository, what is in it, and plain words for what restic says.

The repository and the password's file go through the environment, since an address may hold a
password of its own and arguments can be read by everybody.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import psutil

from jimbot.appliance.backup import KINDS, Kind, Place
from jimbot.operations.backup.errors import BackupError, NotSetUp

TAG = "jimbot"

T = TypeVar("T")

_SHORT_S, _LONG_S = 120.0, 6 * 3600.0
_LOCK_S = 60.0
_LOCK = re.compile(r"already locked (?:exclusively )?by PID (\d+) on (\S+)")
_PR_SET_PDEATHSIG = 1
_SECRET_IN_ADDRESS = re.compile(r"//[^/@]*@")


class Snapshot(NamedTuple):
    """One backup in the repository."""

    id: str
    time: datetime
    kind: Kind
    host: str

    @property
    def short(self) -> str:
        return self.id[:8]


class _Locked(BackupError):
    """Another restic has the repository."""

    def __init__(self, repository: str, pid: int, host: str) -> None:
        super().__init__(
            f"{repository} is locked by a restic (pid {pid} on {host})",
            hint="Wait for it, or end it; then try again",
        )
        self.pid, self.host = pid, host

    def by_zombie(self) -> bool:
        try:
            ended = psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
        return ended and self.host == socket.gethostname()


class Summary(NamedTuple):
    """What writing one came to, in bytes."""

    snapshot: str
    bytes: int
    added: int


class Repository:
    """A restic repository.

    Raises (here and in every method):
        NotSetUp: restic, the repository or the password is not there, or the password is wrong.
        BackupError: restic failed; the message is its own.
    """

    def __init__(self, place: Place, cache: Path) -> None:
        if shutil.which("restic") is None:
            raise NotSetUp("restic is not installed", hint="Install it: apt-get install restic")
        self.place = place
        self.name = _SECRET_IN_ADDRESS.sub("//…@", place.repository)
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RESTIC_REPOSITORY", "RESTIC_PASSWORD"))
        } | {
            "RESTIC_REPOSITORY": place.repository,
            "RESTIC_PASSWORD_FILE": str(place.password),
            "RESTIC_CACHE_DIR": os.environ.get("RESTIC_CACHE_DIR", str(cache)),
            "RESTIC_PROGRESS_FPS": "0.2",
        }

    def create(self) -> None:
        self._run("init", timeout_s=_SHORT_S)

    def check_there(self) -> None:
        """Raises NotSetUp where it cannot be opened."""
        self._run("cat", "config", "--no-lock", timeout_s=_SHORT_S)

    def snapshots(self) -> list[Snapshot]:
        """Ours, the newest first."""
        found = json.loads(
            self._run("snapshots", "--json", "--no-lock", "--tag", TAG, timeout_s=_SHORT_S) or "[]"
        )
        ours = []
        for each in found or []:
            kind = next((kind for kind in KINDS if kind in each.get("tags", ())), None)
            if kind:
                time = datetime.fromisoformat(_microseconds(each["time"]))
                ours.append(Snapshot(each["id"], time, kind, each["hostname"]))
        return sorted(ours, key=lambda each: each.time, reverse=True)

    def backup(
        self, directory: Path, kind: Kind, progress: Callable[[float], None] = lambda done: None
    ) -> Summary:
        """Write what is in a directory; what an interrupted run has sent is not sent again."""
        summary: dict[str, Any] = {}
        arguments = ("backup", ".", "--json", "--tag", f"{TAG},{kind}", "--ignore-inode")

        def write() -> None:
            for line in self._lines(*arguments, cwd=directory, timeout_s=_LONG_S):
                try:
                    message = json.loads(line)
                except ValueError:
                    continue
                if message.get("message_type") == "status":
                    progress(float(message.get("percent_done", 0.0)))
                elif message.get("message_type") == "summary":
                    summary.update(message)

        self._patiently(write)
        if "snapshot_id" not in summary:
            raise BackupError("restic wrote no snapshot", hint="Try again; see its messages above")
        return Summary(
            summary["snapshot_id"], summary["total_bytes_processed"], summary["data_added"]
        )

    def files(self, snapshot: str) -> dict[str, int]:
        """Size in bytes by path within a snapshot."""
        found = {}
        for line in self._run(
            "ls", "--json", "--no-lock", snapshot, timeout_s=_LONG_S
        ).splitlines():
            node = json.loads(line)
            if node.get("type") == "file":
                found[node["path"].lstrip("/")] = int(node.get("size", 0))
        return found

    def read(self, snapshot: str, path: str) -> bytes:
        return self._bytes("dump", "--no-lock", snapshot, f"/{path}", timeout_s=_LONG_S)

    def digest(self, snapshot: str, path: str) -> str:
        """The SHA-256 of a file, as it comes out of the repository."""
        with self._start("dump", "--no-lock", snapshot, f"/{path}") as running:
            assert running.stdout is not None
            found = hashlib.sha256()
            while piece := running.stdout.read(1 << 20):
                found.update(piece)
            assert running.stderr is not None
            said = running.stderr.read().decode("utf-8", "replace")
        if running.returncode != 0:
            raise self._failed("dump", said)
        return found.hexdigest()

    def restore(self, snapshot: str, target: Path, include: Sequence[str] = ()) -> None:
        chosen = [part for each in include for part in ("--include", f"/{each}")]
        self._run("restore", "--no-lock", snapshot, "--target", str(target), *chosen)

    def check(self, percent: float) -> None:
        """Prove the repository's structure, and read back a share of its data."""
        part = ["--read-data"] if percent >= 100 else [f"--read-data-subset={percent:g}%"]
        self._run("check", *part)

    def forget(self, kind: Kind, keep: int, *, prune: bool) -> int:
        """Forget all but the newest `keep` of a kind; how many went."""
        answer = self._run(
            *("forget", "--json", "--tag", f"{TAG},{kind}", "--group-by", "host"),
            *("--keep-last", str(keep)),
        )
        groups = json.loads(answer.splitlines()[0]) if answer.strip() else []
        gone = sum(len(group.get("remove") or ()) for group in groups or [])
        if prune:
            self._run("prune")
        return gone

    def unlock(self) -> None:
        """Remove locks whose holder is gone; those of the living stay."""
        self._run("unlock", timeout_s=_SHORT_S)

    def _run(self, *arguments: str, timeout_s: float = _LONG_S) -> str:
        return self._patiently(
            lambda: self._bytes(*arguments, timeout_s=timeout_s).decode("utf-8", "replace")
        )

    def _patiently(self, call: Callable[[], T]) -> T:
        """Wait for locks of others: a restic that is being killed gives its own back last."""
        deadline = time.monotonic() + _LOCK_S
        while True:
            try:
                return call()
            except _Locked as error:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
                # To restic a process that nobody has reaped still lives.
                forced = ["--remove-all"] if error.by_zombie() else []
                self._bytes("unlock", *forced, timeout_s=_SHORT_S)

    def _bytes(self, *arguments: str, timeout_s: float = _LONG_S) -> bytes:
        with self._start(*arguments) as running:
            try:
                out, err = running.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                running.kill()
                raise BackupError(
                    f"restic {arguments[0]} took longer than {timeout_s:.0f} s",
                    hint=f"Is {self.name} reachable?",
                ) from None
        if running.returncode != 0:
            raise self._failed(arguments[0], err.decode("utf-8", "replace"))
        return out

    def _lines(self, *arguments: str, cwd: Path, timeout_s: float) -> Iterator[str]:
        with self._start(*arguments, cwd=cwd, merge=True) as running:
            assert running.stdout is not None
            said = []
            for raw in running.stdout:
                line = raw.decode("utf-8", "replace").strip()
                said.append(line)
                del said[:-20]
                yield line
            running.wait(timeout_s)
        if running.returncode != 0:
            plain = [line for line in said if '"message_type":"status"' not in line]
            raise self._failed(arguments[0], "\n".join(plain))

    def _start(
        self, *arguments: str, cwd: Path | None = None, merge: bool = False
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["restic", *arguments],
            env=self._environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            # Nobody reads what a restic without its JimBot writes.
            preexec_fn=_end_with_parent,
        )

    def _failed(self, what: str, said: str) -> BackupError:
        lines = [line for line in said.splitlines() if line.strip()]
        if "Is there a repository at the following location?" in said:
            return NotSetUp(
                f"there is no repository at {self.name}", hint="Make it: jimbot backup init"
            )
        if lock := _LOCK.search(said):
            return _Locked(self.name, int(lock[1]), lock[2])
        if "wrong password" in said:
            return NotSetUp(
                f"{self.place.password} is not the password of {self.name}",
                hint="Put the right one there; without it nobody can read the backups",
            )
        fatal = next((line for line in lines if line.startswith("Fatal:")), lines[-1:] or ["?"])
        message = fatal if isinstance(fatal, str) else fatal[0]
        full = "no space left on device" in said or "file too large" in said
        return BackupError(
            f"restic {what} failed: {message.removeprefix('Fatal: ')}",
            hint="Free disk space; the next run goes on from here"
            if full
            else f"See whether {self.name} can be reached and written to, and try again",
        )


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _microseconds(time: str) -> str:
    """Python reads six digits of a second, restic writes nine."""
    return re.sub(r"(\.\d{6})\d+", r"\1", time)
