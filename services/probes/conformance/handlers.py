"""Keeping conformance matrices, and telling two of them apart."""

from datetime import timedelta

from services.probes.conformance import store
from services.probes.conformance.domain import Difference, Matrix, differences
from shared.database import Connection
from shared.errors import Conflict
from shared.events.inventory import DicomAddress
from shared.transactions import Transaction


async def keep_matrix(tx: Transaction, matrix: Matrix) -> None:
    """Keeps what a node has negotiated, once for a run's item."""
    await store.insert_matrix(tx.conn, matrix)


async def is_new_address(tx: Transaction, node_id: str, address: DicomAddress) -> bool:
    """Whether the node was not put up for a negotiation at this address before; from now on it was."""
    return await store.upsert_address(tx.conn, node_id, address)


async def find_differences(conn: Connection, matrix: Matrix, earlier: Matrix | None) -> list[Difference]:
    """What a matrix says otherwise than an earlier one, by default the one before it. Raises Conflict for another
    node's."""
    before = earlier or await store.select_matrix_before(conn, matrix)
    if before is not None and (before.subject, before.site_id) != (matrix.subject, matrix.site_id):
        raise Conflict(f"conformance matrix {before.id} is of another node", subject=before.subject)
    return differences(before.cells if before else [], matrix.cells)


async def forget_old_matrices(tx: Transaction, history: timedelta) -> None:
    """Deletes matrices that are older than ``history``; the latest of each node and caller stays."""
    await store.delete_superseded_before(tx.conn, tx.now - history)
