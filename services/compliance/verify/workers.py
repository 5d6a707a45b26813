"""The processes that check ranges, as many as there are cores. Each opens the log for itself."""

import gc
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from multiprocessing.context import BaseContext

from services.compliance.verify.domain import Reader, Source
from services.compliance.verify.pieces import Range, Task, check_range
from shared.errors import Unavailable

AHEAD = 3
"""How many ranges each process may be ahead of what was joined; it bounds the memory."""

KEPT_BYTES = 1 << 24

_readers: list[Reader] = []


def check_ranges(reader: Reader, tasks: Iterator[Task], workers: int) -> Iterator[Range]:
    """The ranges of ``tasks``, in their order. One worker means this process itself, with ``reader``."""
    if workers < 2:
        _keep_memory()
        yield from (check_range(reader, task) for task in tasks)
        return
    with ProcessPoolExecutor(workers, _context(), _open, (reader.share(),)) as pool:
        running: deque[Future[Range]] = deque()
        try:
            for task in tasks:
                running.append(pool.submit(_check, task))
                if len(running) >= workers * AHEAD:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BrokenProcessPool as exc:
            raise Unavailable("a process that verified the log has ended") from exc
        finally:
            pool.shutdown(cancel_futures=True)


def _context() -> BaseContext:
    """A process with one thread may be copied as it is, which takes no time; a copy of more threads could hang."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return get_context("fork")
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _open(source: Source) -> None:
    gc.disable()
    _keep_memory()
    _readers.append(source.open())


def _keep_memory() -> None:
    """Lets go of one large block, untouched, after which glibc keeps what is freed: each bundle needs as much again.

    Otherwise a tenth of the time goes into giving memory back and taking it anew.
    """
    bytes(KEPT_BYTES)


def _check(task: Task) -> Range:
    return check_range(_readers[0], task)
