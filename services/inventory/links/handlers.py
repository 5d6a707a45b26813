"""Commands on links, and what the other capabilities ask of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.inventory.history.handlers import keep
from services.inventory.links import store
from services.inventory.links.domain import (
    NEEDS,
    BulkResult,
    Dependent,
    End,
    Impact,
    Link,
    LinkDraft,
    Need,
    RowResult,
    check_no_cycle,
    draft_link,
    full_state,
    kept_state,
)
from services.inventory.links.graph import find_path
from shared.bulk import Problem, check_none_refused, parse_row
from shared.database import Connection
from shared.errors import Conflict, NotFound, Refused
from shared.grants import Caller
from shared.resource import check_version
from shared.transactions import Transaction, new_id

MOST_STEPS = 32
MOST_AFFECTED = 1000
HOLDING_UP: tuple[Need, ...] = ("depends_on", "powered_by", "installed_in")
FALLING: tuple[Need, ...] = (*HOLDING_UP, "belongs_to")


async def create_link(tx: Transaction, draft: LinkDraft, caller: Caller, as_id: str | None = None) -> Link:
    """Adds a link, under the id that it had elsewhere if one is given.

    Raises NotFound, Forbidden, Malformed, Conflict with the path where it would close a circle.
    """
    ends = await _hold(tx, [draft])
    return await _create(tx, draft, ends, caller, as_id or new_id())


async def create_links(tx: Transaction, rows: Sequence[Any], caller: Caller, atomic: bool) -> BulkResult:
    """Adds a link for each row that keeps the rules, in their order, and says what became of each.

    Raises RowsRefused, with the same list, where all or none were wanted and one was refused.
    """
    drafts = [_parse(row) for row in rows]
    ends = await _hold(tx, [draft for draft in drafts if isinstance(draft, LinkDraft)])
    results = [await _create_row(tx, index, draft, ends, caller) for index, draft in enumerate(drafts)]
    if atomic:
        check_none_refused(results)
    refused = sum(result.problem is not None for result in results)
    return BulkResult(created=len(results) - refused, refused=refused, rows=results)


async def delete_link(tx: Transaction, link_id: str, expected_version: int) -> Link:
    """Takes a link away and returns it as it was. Raises NotFound, Stale."""
    link = await store.select_link(tx.conn, link_id)
    check_version(f"link {link_id}", link, expected_version)
    await store.delete_link(tx.conn, link)
    tx.record(full_state(link, deleted=True), subject=link.id, site_id=link.site_id)
    await keep(tx, "link", kept_state(link), None)
    return link


async def dependents(conn: Connection, asset_id: str, transitive: bool = False) -> list[Dependent]:
    """The live assets that can't do without an asset: by a link, or since they are built into it; at most 1,000.

    While the asset is locked (``lock_asset``), none is added by a link.
    """
    found, _ = await _find_falling(conn, asset_id, HOLDING_UP, MOST_STEPS if transitive else 1)
    return found


async def find_impact(conn: Connection, asset_id: str) -> Impact:
    """What falls when an asset falls, the nodes of a system with it: at most 1,000 assets over at most 32 steps."""
    affected, complete = await _find_falling(conn, asset_id, FALLING, MOST_STEPS)
    return Impact(asset_id=asset_id, affected=affected, complete=complete)


async def _find_falling(
    conn: Connection, asset_id: str, needs: Sequence[Need], steps: int
) -> tuple[list[Dependent], bool]:
    """What needs the asset within so many steps, nearest first, and whether there is no more; each asset once.

    It goes step by step: however many ways lead to an asset, and whether in a circle, each is looked at once.
    """
    found: list[Dependent] = []
    nearest = [asset_id]
    for distance in range(1, steps + 2):
        seen = [asset_id, *(one.id for one in found)]
        rows = await store.select_needing(conn, nearest, needs, seen, MOST_AFFECTED + 1 - len(found))
        if not rows:
            return found, True
        if distance > steps:
            break
        found += [Dependent.model_validate({**row, "distance": distance}) for row in rows]
        nearest = [row["id"] for row in rows]
        if len(found) > MOST_AFFECTED:
            break
    return found[:MOST_AFFECTED], False


async def _hold(tx: Transaction, drafts: Sequence[LinkDraft]) -> Mapping[str, End]:
    """The assets of the drafts, which live on meanwhile, at sites where nobody else adds links meanwhile."""
    ends = await store.hold_ends(tx.conn, {end for draft in drafts for end in (draft.from_id, draft.to_id)})
    await store.lock_sites(tx.conn, {ends[draft.from_id].site_id for draft in drafts if draft.from_id in ends})
    return ends


async def _create_row(
    tx: Transaction, index: int, draft: LinkDraft | Refused, ends: Mapping[str, End], caller: Caller
) -> RowResult:
    try:
        if isinstance(draft, Refused):
            raise draft
        return RowResult(index=index, link=await _create(tx, draft, ends, caller, new_id()))
    except Refused as exc:
        return RowResult(index=index, problem=Problem.of(exc))


def _parse(row: Any) -> LinkDraft | Refused:
    try:
        return parse_row(LinkDraft, row, "/inventory/v1/links")
    except Refused as exc:
        return exc


async def _create(tx: Transaction, draft: LinkDraft, ends: Mapping[str, End], caller: Caller, link_id: str) -> Link:
    origin, end = (_end(ends, asset_id) for asset_id in (draft.from_id, draft.to_id))
    caller.require("operator", origin.site_id, f"asset {origin.id}")
    caller.require("viewer", end.site_id, f"asset {end.id}")
    link = draft_link(link_id, draft, origin, end)
    await _check_free(tx, link)
    await store.insert_link(tx.conn, link)
    tx.record(full_state(link, deleted=False), subject=link.id, site_id=link.site_id)
    await keep(tx, "link", None, kept_state(link))
    return link


def _end(ends: Mapping[str, End], asset_id: str) -> End:
    if asset_id not in ends:
        raise NotFound(f"no asset {asset_id}")
    return ends[asset_id]


async def _check_free(tx: Transaction, link: Link) -> None:
    if same := await store.select_same(tx.conn, link):
        raise Conflict(f"there is such a link already: {same}", link_id=same)
    if link.plugs and (taken := await store.select_taken_port(tx.conn, link)):
        raise Conflict(f"port {taken[1]} of {taken[0]} has a cable already")
    if link.kind in NEEDS:
        path = find_path(await store.select_way_edges(tx.conn, link.to_id, link.from_id), link.to_id, link.from_id)
        names = await store.select_names(tx.conn, path or ())
        check_no_cycle([names[asset_id] for asset_id in path] if path else None)
