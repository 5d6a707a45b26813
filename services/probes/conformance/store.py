"""SQL of conformance matrices."""

from collections.abc import Collection
from datetime import datetime

from services.probes.conformance.domain import Matrix, MatrixSummary
from shared.database import Connection, found
from shared.events.inventory import DicomAddress
from shared.listing import fetch_page

SUMMARY = ", ".join(MatrixSummary.model_fields)


async def insert_matrix(conn: Connection, matrix: Matrix) -> None:
    """Keeps a matrix; the one of a run's item that is there stays."""
    await conn.execute(
        f"""INSERT INTO conformance ({SUMMARY}, cells)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            ON CONFLICT (run_id, position) DO NOTHING""",  # noqa: S608 -- the names are our own model's
        *(getattr(matrix, name) for name in MatrixSummary.model_fields),
        [cell.model_dump() for cell in matrix.cells],
    )


async def delete_superseded_before(conn: Connection, instant: datetime) -> None:
    """Forgets matrices from before; the latest that a node gave to a caller stays."""
    await conn.execute(
        """DELETE FROM conformance AS old WHERE taken_at < $1 AND EXISTS (
               SELECT FROM conformance AS newer
               WHERE newer.subject IS NOT DISTINCT FROM old.subject AND newer.site_id = old.site_id
                 AND newer.ae_title = old.ae_title AND newer.calling_ae_title = old.calling_ae_title
                 AND newer.id > old.id)""",
        instant,
    )


async def select_matrix(conn: Connection, matrix_id: str) -> Matrix:
    """One matrix. Raises NotFound."""
    row = await conn.fetchrow("SELECT * FROM conformance WHERE id = $1", matrix_id)
    return Matrix.model_validate(dict(found(row, f"conformance matrix {matrix_id}")))


async def select_matrix_before(conn: Connection, matrix: Matrix) -> Matrix | None:
    """The one that the same node gave to the same caller before that one; None for the first."""
    row = await conn.fetchrow(
        """SELECT * FROM conformance WHERE subject IS NOT DISTINCT FROM $1 AND site_id = $2 AND ae_title = $3
               AND calling_ae_title = $4 AND id < $5 ORDER BY id DESC LIMIT 1""",
        matrix.subject,
        matrix.site_id,
        matrix.ae_title,
        matrix.calling_ae_title,
        matrix.id,
    )
    return Matrix.model_validate(dict(row)) if row else None


async def select_matrices(
    conn: Connection,
    visible: Collection[str] | None,
    subject: str | None,
    run_id: str | None,
    before: str | None,
    limit: int,
) -> list[MatrixSummary]:
    """Matrices, the latest first, behind ``before``; ``visible`` None stands for all sites."""
    source = f"(SELECT {SUMMARY} FROM conformance) AS matrices"  # noqa: S608 -- the names are our own model's
    wanted = {"subject": subject, "run_id": run_id}
    rows = await fetch_page(conn, source, visible, wanted, before, limit, latest_first=True)
    return [MatrixSummary.model_validate(dict(row)) for row in rows]


async def upsert_address(conn: Connection, node_id: str, address: DicomAddress) -> bool:
    """Remembers where a node was asked; false when it was that address already."""
    changed = await conn.fetchval(
        """INSERT INTO negotiated_nodes (id, address) VALUES ($1, $2)
           ON CONFLICT (id) DO UPDATE SET address = $2 WHERE negotiated_nodes.address <> $2 RETURNING true""",
        node_id,
        address.model_dump(),
    )
    return bool(changed)
