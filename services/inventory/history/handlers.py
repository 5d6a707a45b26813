"""What the other capabilities tell history when they change something."""

from collections.abc import Sequence
from typing import TypeVar

from services.inventory.history import store
from services.inventory.history.domain import Kept
from shared.transactions import Transaction

K = TypeVar("K", bound=Kept)


async def keep(tx: Transaction, kind: str, before: Kept | None, after: Kept | None) -> None:
    """Keeps one change: ``before`` is None for what was made, ``after`` for what was taken away."""
    await keep_all(tx, kind, [(before, after)])


async def keep_all(tx: Transaction, kind: str, changes: Sequence[tuple[K | None, K | None]]) -> None:
    """Keeps many changes of one kind in one statement, with the transaction's actor and reason."""
    await store.insert_revisions(tx, kind, changes)
