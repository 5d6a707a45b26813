"""Conformance over HTTP."""

from typing import Annotated

from fastapi import APIRouter

from services.probes.conformance import handlers, store
from services.probes.conformance.domain import Difference, Matrix, MatrixSummary
from shared.http import Call, Page, Paging, requires
from shared.resource import Id

router = APIRouter(prefix="/v1/conformance", tags=["conformance"])


@router.get("")
async def list_matrices(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    subject: Id | None = None,
    suite_run_id: Id | None = None,
) -> Page[MatrixSummary]:
    """What the nodes of your sites negotiated, the latest first; of one node, or of one run of a suite."""
    sites = call.caller.sites("viewer")
    async with call.read() as conn:
        found = await store.select_matrices(conn, sites, subject, suite_run_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda matrix: matrix.id)


@router.get("/{matrix_id}")
async def get_matrix(matrix_id: Id, call: Annotated[Call, requires("viewer")]) -> Matrix:
    """One node's matrix: each SOP class in each transfer syntax, accepted or refused and why."""
    return await call.find("viewer", "conformance matrix", store.select_matrix, matrix_id)


@router.get("/{matrix_id}/differences")
async def list_differences(
    matrix_id: Id, call: Annotated[Call, requires("viewer")], since: Id | None = None
) -> list[Difference]:
    """What the node says otherwise than in the matrix ``since``, by default the one before."""
    matrix = await call.find("viewer", "conformance matrix", store.select_matrix, matrix_id)
    earlier = await call.find("viewer", "conformance matrix", store.select_matrix, since) if since else None
    async with call.read() as conn:
        return await handlers.find_differences(conn, matrix, earlier)
