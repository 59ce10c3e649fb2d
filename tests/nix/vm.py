"""`python -m tests.nix.vm`: boots the generated units in a Debian machine, twice.

As a container of systemd-nspawn, with the real programs: they come up behind their gates, are
killed and come back, a game is played, backed up, lost and restored. Under QEMU, with a kernel of
its own: limits, pinning, restarts with a growing delay, timers, credentials. There `sleep` stands
for the programs, unless --all, since under emulation each takes minutes to start; JIMBOT_KVM=1 uses
the processor's own means. What is proved, and how, is in guest.sh.
Exits 0 when all holds, 1 when something does not, 2 when the machine could not be had.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from jimbot.appliance.placement import cpu_list
from tests.nix import lab

# The first systemd that lets delays grow is 254; trixie has 257.
SUITE = "trixie"
PACKAGES = (
    "systemd,systemd-sysv,udev,dbus,linux-image-cloud-amd64,iproute2,procps,util-linux,restic"
)
SECRET = "canary-7f3a1c9e5b"
SERVICES = ("mcp", "analytics", "claude")
MB = 1 << 20


def missing() -> str:
    """Why no machine can be had here; empty where it can."""
    if why := lab.tree_is_missing():
        return why
    tools = {
        "qemu-system-x86_64": "qemu-system-x86",
        "debootstrap": "debootstrap",
        "systemd-nspawn": "systemd-container",
    }
    lacking = [package for tool, package in tools.items() if not shutil.which(tool)]
    return f"apt-get install {' '.join(lacking)}" if lacking else ""


def debian(folder: Path) -> Path:
    """A Debian root file system, made once."""
    root = folder / "root"
    if not root.exists():
        print("vm: debootstrap, about three minutes", file=sys.stderr)
        half = folder / "root.half"
        shutil.rmtree(half, ignore_errors=True)
        lab.run(
            *("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, half),
            timeout=3600,
        )
        half.rename(root)  # one that was cut off is not taken for a whole one
    return root


def limits(facts: dict[str, Any]) -> list[str]:
    """`path value` of what the kernel should say, from the units' settings."""
    lines = []
    for name, settings in facts["slices"].items():
        parts = name.split("-")
        path = "/".join("-".join(parts[: i + 1]) + ".slice" for i in range(len(parts)))
        for key, file in (("MemoryMax", "memory.max"), ("MemoryHigh", "memory.high")):
            lines.append(f"{path}/{file} {_bytes(settings[key])}")
        if "CPUWeight" in settings:
            lines.append(f"{path}/cpu.weight {settings['CPUWeight']}")
        if "AllowedCPUs" in settings:
            lines.append(f"{path}/cpuset.cpus {_kernel_list(settings['AllowedCPUs'])}")
    for service in SERVICES:
        settings = facts["services"][f"jimbot-{service}"]["serviceConfig"]
        path = f"jimbot.slice/jimbot-system.slice/{settings['Slice']}/jimbot-{service}.service"
        lines.append(f"{path}/memory.max {_bytes(settings['MemoryMax'])}")
        lines.append(f"{path}/memory.swap.max 0")
    return lines


def _bytes(text: str) -> int:
    return int(text.removesuffix("M")) * MB


def _kernel_list(text: str) -> str:
    """Cores as the kernel writes them: runs are joined."""
    cores = sorted(cpu_list(text))
    runs: list[list[int]] = []
    for core in cores:
        if runs and core == runs[-1][-1] + 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def furnish(root: Path, units: Path, facts: dict[str, Any]) -> None:
    """Put the units, what they need and the proofs into a root file system."""
    store = root / "nix/store"
    shutil.rmtree(root / "nix", ignore_errors=True)
    store.mkdir(parents=True)
    for path in lab.closure(units):
        subprocess.run(["cp", "-a", path, store], check=True)
    systemd = root / "etc/systemd/system"
    for old in systemd.glob("jimbot*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    for unit in units.iterdir():
        text = unit.read_text()
        (systemd / unit.name).write_text(text)
        for target in re.findall(r"^WantedBy=(\S+)", text, re.M):
            if target == "multi-user.target":
                continue  # the proofs start it
            wants = systemd / f"{target}.wants"
            wants.mkdir(exist_ok=True)
            (wants / unit.name).unlink(missing_ok=True)
            (wants / unit.name).symlink_to(f"../{unit.name}")
    for file, line in (
        ("passwd", "jimbot:x:65532:65532::/var/lib/jimbot:/usr/sbin/nologin"),
        ("group", "jimbot:x:65532:"),
    ):
        path = root / "etc" / file
        if line not in path.read_text():
            path.write_text(path.read_text() + line + "\n")
    rules = [rule for rule in facts["tmpfiles"] if "jimbot" in rule]
    (root / "etc/tmpfiles.d").mkdir(exist_ok=True)
    (root / "etc/tmpfiles.d/jimbot.conf").write_text("\n".join(rules) + "\n")
    secrets = root / "etc/jimbot"
    secrets.mkdir(exist_ok=True)
    for name, text in (("claude", SECRET), ("backup", "backup-password-of-a-test")):
        (secrets / name).write_text(text)
        (secrets / name).chmod(0o400)
    mcp = facts["services"]["jimbot-mcp"]["serviceConfig"]
    api = facts["slices"]["jimbot-system-api"]
    program = mcp["ExecStart"].split()[0]
    python = next(path for path in lab.closure(units) if path.name.endswith("standin-python"))
    environment = facts["services"]["jimbot-mcp"]["environment"]
    exports = "".join(
        f"export {key}='{environment[key]}'\n" for key in environment if key.startswith("JIMBOT_")
    )
    proof = root / "proof"
    proof.mkdir(exist_ok=True)
    (proof / "expected.sh").write_text(
        f"{exports}"
        f"JIMBOT={program}\nSECRET={SECRET}\nSERVICES='{' '.join(SERVICES)}'\n"
        f"PYTHON='{python}/bin/python3.11 -S'\n"
        f"API_SLICE={mcp['Slice']}\nAPI_PATH=jimbot.slice/jimbot-system.slice/{mcp['Slice']}\n"
        f"API_LIMIT={_bytes(api['MemoryMax'])}\nAPI_CPUS={_kernel_list(api['AllowedCPUs'])}\n"
        f"API_OOM={mcp['OOMScoreAdjust']}\n"
    )
    (proof / "limits").write_text("\n".join(limits(facts)) + "\n")
    shutil.copy(Path(__file__).with_name("guest.sh"), proof / "guest.sh")
    wants = systemd / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "proof.service").unlink(missing_ok=True)
    (wants / "proof.service").symlink_to("../proof.service")


def ask(root: Path, mode: str, output: str) -> None:
    """Have the machine run the proofs when it is up."""
    (root / "etc/systemd/system/proof.service").write_text(
        "[Unit]\nAfter=multi-user.target\n[Service]\nType=oneshot\n"
        f"ExecStart=/bin/bash /proof/guest.sh {mode} {output}\n"
    )


def contain(root: Path, seconds: float) -> str:
    """Boot the file system as a container of this kernel's; what the proofs said."""
    output = root / "proof/said"
    output.unlink(missing_ok=True)
    for state in ("var/lib/jimbot", "var/backup", "var/cache/jimbot-backup"):
        shutil.rmtree(root / state, ignore_errors=True)
    ask(root, "services", "/proof/said")
    command = ["systemd-nspawn", "--boot", f"--directory={root}", "--register=no", "--keep-unit"]
    machine = subprocess.Popen(
        [*command, "--private-network"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        machine.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"vm: the container is not done after {seconds:.0f} s: ended", file=sys.stderr)
        machine.terminate()
        machine.wait(60)
    finally:
        machine.kill()
        machine.wait()
    return output.read_text(errors="replace") if output.exists() else ""


def boot(folder: Path, root: Path, log: Path, seconds: float) -> None:
    """Boot the file system and wait until it powers off."""
    disk = folder / "disk.img"
    disk.unlink(missing_ok=True)
    lab.run("truncate", "-s", "4G", disk)
    lab.run("mkfs.ext4", "-q", "-d", root, disk)
    kernel = next((root / "boot").glob("vmlinuz-*"))
    initrd = next((root / "boot").glob("initrd.img-*"))
    # A machine that is itself virtual may have a /dev/kvm that does not work.
    accelerator = "kvm" if os.environ.get("JIMBOT_KVM") else "tcg,thread=multi"
    with log.open("wb") as file:
        machine = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-accel", accelerator, "-cpu", "max", "-smp", "8"),
                *("-m", "3072", "-nographic", "-no-reboot", "-nic", "none"),
                *("-kernel", str(kernel), "-initrd", str(initrd)),
                *(
                    "-append",
                    "root=/dev/vda rw console=ttyS0 quiet systemd.mask=serial-getty@ttyS0.service",
                ),
                *("-drive", f"file={disk},if=virtio,format=raw,cache=unsafe"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
        try:
            machine.wait(seconds)
        except subprocess.TimeoutExpired:
            print(f"vm: not done after {seconds:.0f} s: ended", file=sys.stderr)
        finally:
            machine.kill()
            machine.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.nix.vm", description=__doc__)
    parser.add_argument("--folder", type=Path, default=lab.ROOT / "build/nix")
    parser.add_argument("--seconds", type=float, default=2700.0, help="at most")
    parser.add_argument("--only", nargs="+", choices=["container", "qemu"])
    parser.add_argument("--all", action="store_true", help="the real programs under QEMU too")
    options = parser.parse_args()
    options.only = options.only or ["container", "qemu"]
    if why := missing():
        print(f"vm: no machine: {why}", file=sys.stderr)
        return 2
    folder: Path = options.folder.absolute()
    (folder / "vm").mkdir(parents=True, exist_ok=True)
    bench = lab.Lab(folder)
    units, facts = bench.build("vmUnits"), bench.evaluate("vmFacts")
    root = debian(folder / "vm")
    furnish(root, units, facts)
    right = True
    if "container" in options.only:
        print("vm: as a container", file=sys.stderr)
        right &= told("container", contain(root, options.seconds))
    if "qemu" in options.only:
        log = folder / "vm/serial.log"
        print(f"vm: under QEMU; its serial line goes to {log}", file=sys.stderr)
        ask(root, "all" if options.all else "kernel", "/dev/ttyS0")
        boot(folder / "vm", root, log, options.seconds)
        right &= told("qemu", log.read_text(errors="replace"))
    return 0 if right else 1


def told(where: str, text: str) -> bool:
    """Print what a machine's proofs said; whether all of them hold."""
    lines = re.findall(r"^PROOF (.*?)\r?$", text, re.M)
    print("\n".join(f"{where}: {line}" for line in lines))
    passed = sum(line.startswith("PASS ") for line in lines)
    failed = sum(line.startswith("FAIL ") for line in lines)
    ended = any(line.startswith("END") for line in lines)
    if not ended:
        print(f"vm: the proofs of {where} did not come to their end", file=sys.stderr)
    print(f"{where}: {passed} passed, {failed} failed", flush=True)
    return ended and passed > 0 and not failed


if __name__ == "__main__":
    sys.exit(main())
