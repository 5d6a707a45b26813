"""Tells a person what is being done, a line a step with the time it took."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announces the step on a terminal, and tells when it is done."""
    began = perf_counter()
    if sys.stdout.isatty():
        print(f"  … {what}", end="\r", flush=True)  # noqa: T201 -- the command speaks to a person
    yield
    print(f"  ✓ {what}, {perf_counter() - began:.1f} s", flush=True)  # noqa: T201 -- the command speaks to a person
