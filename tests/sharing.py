"""Which tests run in one process, one after another, when `pytest -n` runs several; and which of them begin first.

Tests of a file stay together, and so do those that share a part that is slow to start. What takes longest begins
first, so that the processes end together.
"""

import re

from xdist.scheduler import LoadScopeScheduling

SLOW_PARTS = (
    (r"tests/e2e/kill/.*\[kafka", "the broker that is killed"),
    (r"tests/e2e/walkthrough/.*\[distributed", "seven processes"),
    (r"tests/e2e/walkthrough/.*\[one process", "steward up"),
    (r"tests/e2e/kill/", "the embedded bus"),
    (
        r"tests/contract/(bus|delivery)/.*\[kafka|tests/e2e/telemetry/|test_events_guide|tests/integration/parts/",
        "kafka",
    ),
)
SLOW_FOLDERS = (
    "tests/integration/backup/runs/",
    "tests/integration/up/",
    "tests/e2e/",
    "tests/contract/deploy/",
    "tests/integration/notifier/delivery/",
    "tests/integration/",
    "tests/contract/",
)


def share_of(nodeid: str) -> str:
    """The name of the share that a test belongs to: the slow part that it needs, or else its file."""
    return next((part for pattern, part in SLOW_PARTS if re.search(pattern, nodeid)), nodeid.partition("::")[0])


def rank_of(nodeid: str) -> int:
    """The place of a test's share among all: the lower, the earlier it begins."""
    patterns = [*(pattern for pattern, _ in SLOW_PARTS), *SLOW_FOLDERS]
    return next((rank for rank, pattern in enumerate(patterns) if re.search(pattern, nodeid)), len(patterns))


class SharedParts(LoadScopeScheduling):  # type: ignore[misc]  # -- pytest-xdist carries no types
    """Gives whole shares to the processes, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid)
