"""`python -m benchmarks [NAME…]`: runs all benchmarks or those named, one after the other, and shows one table.

The long ones run only when they are named. Ends with 1 when a figure misses its floor.
"""

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from time import perf_counter

import uvloop

from benchmarks.figure import Figure, table
from benchmarks.ground import Ground
from shared import telemetry

NAMES = ("relay", "bus", "log", "audit", "idle", "up", "dicom", "probes", "alert-mail", "inventory", "imports", "gates")
LONG = ("log-long", "probes-long")
LATEST = Path(__file__).parent / "latest.json"


def main(names: list[str]) -> int:
    """Runs the benchmarks and returns the exit status."""
    if unknown := set(names) - set(NAMES + LONG):
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES + LONG)}", file=sys.stderr)
        return 2
    telemetry.configure_logs("warning")
    figures: list[Figure] = []
    with ExitStack() as stack:
        ground = Ground(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))), stack)
        for name in names or NAMES:
            print(f"{name} …", end=" ", flush=True)
            began = perf_counter()
            figures += uvloop.run(import_module(f"benchmarks.{name.replace('-', '_')}").measure(ground))
            print(f"{perf_counter() - began:.0f} s", flush=True)
    LATEST.write_text(json.dumps([figure.as_json() for figure in figures], indent=2) + "\n")
    print(f"\n{table(figures)}\n\n{os.cpu_count()} cores; the same in {LATEST}")
    if missed := [figure.name for figure in figures if figure.misses]:
        print(f"Below their floor: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
