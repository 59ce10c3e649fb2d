"""Run the benchmarks, all or those named: `python -m benchmarks [NAME …]`.

Each is a module of its own process, so that one's memory and imports do not weigh on another.
"""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import benchmarks

known = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
names = sys.argv[1:] or known
if unknown := set(names) - set(known):
    sys.exit(f"unknown benchmark {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
failed = []
for name in names:
    print(f"── {name}", flush=True)
    if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
        failed.append(name)
if failed:
    sys.exit(f"failed: {', '.join(failed)}")
