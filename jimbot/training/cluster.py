"""The one Ray cluster of a home: where it is, its token, and joining no other by mistake.

Whoever starts Ray or connects to it calls `environment` first, before Ray is imported. The head
writes down who it is (`announce`); the trainer joins only that cluster (`connect`). Where Ray is
several nodes, in containers and on a cluster, $JIMBOT_RAY_HEAD says where the head is, and the
token says whose.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import socket
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jimbot.appliance import Appliance, Home
from jimbot.appliance.containers import RAY_ADDRESS, RAY_HEAD
from jimbot.appliance.training import TrainingShare
from jimbot.errors import MissingExtra
from jimbot.files import write_whole
from jimbot.security.errors import SecretError
from jimbot.security.secrets import check as check_secret
from jimbot.training import patience
from jimbot.training.errors import TrainingError

_log = logging.getLogger(__name__)

NODE_IP = "127.0.0.1"
ATTEMPTS = 3
JOIN_S = 60.0

# A cluster's secret where Kubernetes hands it over (jimbot/appliance/render/kubernetes.py).
_GIVEN = Path("/run/secrets/ray/token")

# What Ray reads at import and hands on to its own processes.
_SETTINGS = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    # "This is no cluster of many machines": Ray then leaves 127.0.0.1 alone instead of replacing
    # it by an address that others can reach.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # On SIGTERM stop at once; Ray's default gives services 30 s to move away.
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
    # Ours never restarts its control store; who has lost it shall end soon, not after a minute.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
    # A busy machine takes longer than Ray waits: for the control store (30 s), for what makes
    # runners' environments (30 s), and for a runner that imports torch (60 s).
    "RAY_gcs_server_port_wait_time_s": "60",
    "RAY_agent_register_timeout_ms": "120000",
    "RAY_worker_register_timeout_seconds": "300",
    # Keep CUDA_VISIBLE_DEVICES as it is in workers without a GPU, and say nothing about it.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def environment(home: Home) -> None:
    """Set Ray's environment for this process and those it starts.

    Raises:
        MissingExtra: Ray is not installed.
        TrainingError: the token cannot be read or made.
    """
    os.environ.update(_SETTINGS, RAY_AUTH_TOKEN_PATH=str(_token(home)))
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_REDIS_ADDRESS"):
        os.environ.pop(name, None)
    try:
        import ray  # noqa: F401
    except ImportError:
        raise MissingExtra("ray", "train") from None
    patience.have()
    # Ray prints on its own; let its records become JSON lines like everybody's.
    for name in ("ray", "ray.rllib"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.ERROR)


def several() -> bool:
    """Whether nodes of their own join the head, which then plays no games itself."""
    return bool(os.environ.get(RAY_HEAD))


def together(appliance: Appliance) -> bool:
    """Whether whoever plays games reaches this machine's loopback, and mcp on it."""
    return head(appliance).startswith(f"{NODE_IP}:")


def address() -> str:
    """Where this machine's Ray listens: on loopback, or where others are to reach it."""
    return os.environ.get(RAY_ADDRESS) or NODE_IP


def head(appliance: Appliance) -> str:
    """Where the head's control store listens, `HOST:PORT`.

    Raises:
        TrainingError: $JIMBOT_RAY_HEAD is not `HOST:PORT`.
    """
    given = os.environ.get(RAY_HEAD)
    if not given:
        return appliance.ray_head
    host, _, port = given.rpartition(":")
    if not host or not port.isdigit():
        raise TrainingError(f"${RAY_HEAD} is {given!r}", hint=f"As {NODE_IP}:6379")
    return given


def _token(home: Home) -> Path:
    """The file with the cluster's secret, for its owner's eyes alone; made when it is not there."""
    path = _GIVEN if _GIVEN.exists() else home.run / "ray-token"
    try:
        if not path.exists():
            # Head and trainer come here at the same moment: the first link wins, both read it.
            descriptor, mine = tempfile.mkstemp(prefix=".ray-token-", dir=home.run)  # 0600
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
            try:
                os.link(mine, path)
            except FileExistsError:
                pass
            finally:
                os.unlink(mine)
        check_secret(path)
    except SecretError as error:
        raise TrainingError(error.message, hint=error.hint) from None
    except OSError as error:
        raise TrainingError(
            f"cannot make {path}: {error.strerror}", hint="Make the state directory writable"
        ) from error
    return path


def scratch(home: Home) -> Path:
    """A private directory for Ray's sockets; short, since a socket's path holds 107 bytes.

    Raises:
        TrainingError: somebody else's directory is in its place.
    """
    name = hashlib.sha256(str(home.path).encode()).hexdigest()[:8]
    path = Path(tempfile.gettempdir()) / f"jimbot-{os.getuid()}-{name}"
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise TrainingError(f"{path} is not private to this user", hint="Remove it")
    return path


def announcement(home: Home) -> Path:
    return home.run / "ray-head.json"


def announce(home: Home, session: str) -> None:
    """Write down which session is ours; `session` is Ray's directory for it."""
    told = json.dumps({"pid": os.getpid(), "session": session})
    write_whole(announcement(home), told.encode())


def _announced(home: Home) -> str | None:
    """The session of the running head of this home, or None."""
    try:
        data = json.loads(announcement(home).read_text())
        os.kill(int(data["pid"]), 0)
        return str(data["session"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def connect(
    appliance: Appliance,
    home: Home,
    share: TrainingShare,
    *,
    timeout_s: float,
    stopped: Callable[[], bool],
) -> bool:
    """Wait for this home's head and connect to it as a driver; False when `stopped` says so.

    Args:
        share: what a node of our own takes, where Ray is several; it ends with this thread.

    Raises:
        TrainingError: it did not come up in time, or another cluster answers in its place.
    """
    import ray

    if several():
        return _join(appliance, home, share, timeout_s=timeout_s, stopped=stopped)
    port = appliance.service("ray-head").ports["gcs"]
    session = waited(
        lambda: _announced(home) if _listens(port) else None,
        timeout_s=timeout_s,
        stopped=stopped,
        late=TrainingError(
            f"Ray did not come up on {NODE_IP}:{port} within {timeout_s:g} s",
            hint=f"See {home.logs / 'ray-head.jsonl'}, or run: jimbot serve ray-head",
        ),
    )
    if session is None:
        return False
    context = _init(f"{NODE_IP}:{port}", namespace="jimbot")
    joined = str(context.address_info["session_dir"])
    if joined != session:
        ray.shutdown()
        raise TrainingError(
            f"the Ray on port {port} is not this home's ({joined}, not {session})",
            hint="Stop it, or change ray-head's port in the table",
        )
    return True


def _join(
    appliance: Appliance,
    home: Home,
    share: TrainingShare,
    *,
    timeout_s: float,
    stopped: Callable[[], bool],
) -> bool:
    """Connect by a node of our own, which has joined the head; only who has its token can."""
    from jimbot.training import node as nodes

    node = nodes.join(appliance, home, share, "trainer", timeout_s=timeout_s, stopped=stopped)
    if node is None:
        return False
    _init(head(appliance), namespace="jimbot", _node_ip_address=node.node_ip_address)
    return True


def local(home: Home, share: TrainingShare, *, stopped: Callable[[], bool]) -> bool:
    """Start a Ray for this process alone, without a head of the appliance; it ends with us.

    Returns:
        False when `stopped` says so.

    Raises:
        TrainingError: it does not come up.
    """
    import ray

    for attempt in range(1, ATTEMPTS + 1):
        if stopped():
            return False
        try:
            _init(
                num_cpus=share.env_runners,
                object_store_memory=share.object_store_mb * 2**20,
                include_dashboard=False,
                _node_ip_address=NODE_IP,
                _temp_dir=str(scratch(home) / "ray"),
            )
            return True
        # Ray gives its node 30 s, which a busy machine may need more than once; it raises a bare
        # Exception then.
        except Exception as error:
            ray.shutdown()
            if attempt == ATTEMPTS:
                raise TrainingError(
                    f"Ray does not come up: {str(error).splitlines()[0]}",
                    hint=f"See {scratch(home) / 'ray'}, and whether the machine is too busy",
                ) from error
            _log.warning("Ray did not come up, once more: %s", str(error).splitlines()[0])
    return False


def _init(address: str | None = None, **options: Any) -> Any:
    """Ray's `init`, quietly."""
    import ray

    # RLlib makes its runners in a way that Ray's core calls an error, at each start.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    return ray.init(address, log_to_driver=False, configure_logging=False, **options)


def waited(
    look: Callable[[], str | None],
    *,
    timeout_s: float,
    stopped: Callable[[], bool],
    late: TrainingError,
) -> str | None:
    """What `look` finds in the end; None when `stopped` says so.

    Raises:
        TrainingError: `late`, when it has found nothing in time.
    """
    deadline = time.monotonic() + timeout_s
    while (found := look()) is None:
        if stopped():
            return None
        if time.monotonic() > deadline:
            raise late
        time.sleep(0.05)
    return found


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((NODE_IP, port)) == 0
