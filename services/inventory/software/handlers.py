"""Commands on software, on the approved list and on MDS2 forms."""

import asyncio
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import IO

from services.inventory.assets import handlers as assets
from services.inventory.assets.domain import Asset, check_not_ended
from services.inventory.documents import handlers as documents
from services.inventory.documents.domain import Document
from services.inventory.documents.handlers import Inspect
from services.inventory.documents.markup import NotTaken
from services.inventory.documents.names import SUFFIXES
from services.inventory.history.handlers import keep
from services.inventory.lifecycle.domain import FINAL
from services.inventory.software import store
from services.inventory.software.approval import ApprovedList
from services.inventory.software.cyclonedx import Item, Sbom, read_sbom
from services.inventory.software.domain import (
    CHECK,
    ApprovedSoftware,
    ApproveSoftware,
    Difference,
    Finding,
    NewApproval,
    Taken,
    asset_type_of,
    check_belongs,
    check_kind,
    difference,
    full_state,
    is_news,
    item_of,
    label,
    summary_of,
    system_of,
)
from services.inventory.software.questionnaire import Answer, Form, read_json, read_sheets
from services.inventory.software.workbook import read_rows
from shared.database import Connection
from shared.errors import Malformed
from shared.events.alerts import AlertRaised, AlertResolved
from shared.events.documents import DocumentKind, Mds2Recorded, SoftwareListed
from shared.resource import check_version
from shared.transactions import Transaction, new_id

BATCH = 20


def inspect_sbom(file: IO[bytes], media_type: str) -> None:
    """Raises NotTaken unless the file is an SBOM."""
    file.seek(0)
    read_sbom(file.read(), media_type)


def inspect_mds2(file: IO[bytes], media_type: str) -> None:
    """Raises NotTaken for a workbook or JSON that is no MDS2 form. A scanned or printed one (PDF) is kept unread."""
    if media_type != SUFFIXES["pdf"]:
        read_mds2(file, media_type)


INSPECTORS: Mapping[DocumentKind, Inspect] = {"sbom": inspect_sbom, "mds2": inspect_mds2}
"""What a document of these kinds must be. Each runs on a thread."""


def read_mds2(file: IO[bytes], media_type: str) -> list[Answer]:
    """The answers of a form. Raises NotTaken. Blocks."""
    if media_type == SUFFIXES["xlsx"]:
        return read_sheets(read_rows(file))
    if media_type == SUFFIXES["json"]:
        file.seek(0)
        return read_json(file.read())
    raise NotTaken("must be an MDS2 form as a workbook or JSON to be read")


async def read_sbom_of(conn: Connection, document: Document) -> Sbom:
    """What a document of the kind sbom says. Raises Conflict for another kind, Malformed."""
    check_kind(document, "sbom")
    raw = await documents.read_content(conn, document.sha256)
    try:
        return await asyncio.to_thread(read_sbom, raw, document.media_type)
    except NotTaken as exc:
        raise Malformed("document_id", str(exc), "a document of the kind sbom") from exc


async def read_mds2_of(conn: Connection, document: Document) -> list[Answer]:
    """The answers of a document of the kind mds2. Raises Conflict for another kind, Malformed."""
    check_kind(document, "mds2")
    raw = await documents.read_content(conn, document.sha256)
    try:
        return await asyncio.to_thread(read_mds2, io.BytesIO(raw), document.media_type)
    except NotTaken as exc:
        raise Malformed("document_id", str(exc), "a document of the kind mds2") from exc


async def compare_sboms(conn: Connection, before: Document, after: Document) -> Difference:
    """How the software of two SBOMs differs. Raises Malformed."""
    old, new = await read_sbom_of(conn, before), await read_sbom_of(conn, after)
    return await asyncio.to_thread(difference, old.items, new.items)


async def take_sbom(tx: Transaction, asset_id: str, document: Document, sbom: Sbom) -> Taken:
    """Makes an SBOM what is known of an asset's software. One that counts already changes nothing.

    Raises NotFound, or Conflict for a document that is not the asset's and for an asset whose life is over.
    """
    asset = await assets.find_asset(tx.conn, asset_id)
    check_not_ended(asset)
    check_belongs(document, asset)
    await store.hold_lists(tx.conn)
    await store.insert_list(tx.conn, _taken(asset, document, len(sbom.items), tx.actor, tx.now))
    old, finding = await store.lock_list(tx.conn, asset_id)
    if old.sha256 == document.sha256:
        return old
    before = [item_of(program) for program in await store.select_items(tx.conn, asset_id)]
    verdicts = await _compare(tx.conn, asset, sbom.items)
    await store.replace_items(tx.conn, asset_id, sbom.items, verdicts)
    taken = _taken(asset, document, len(sbom.items), tx.actor, tx.now)
    taken = await _settle(tx, asset, taken, finding, sbom.items, verdicts)
    changes = difference(before, sbom.items)
    listed = SoftwareListed(
        document_id=document.id,
        sha256=document.sha256,
        items=taken.items,
        added=len(changes.added),
        removed=len(changes.removed),
        changed=len(changes.changed),
        unapproved=taken.unapproved,
    )
    tx.record(listed, subject=asset.id, site_id=asset.site_id)
    return taken


async def compare_some(tx: Transaction) -> int:
    """Compares the software of some assets with lists that have changed; how many there were."""
    await store.hold_lists(tx.conn)
    due = await store.lock_due(tx.conn, BATCH)
    for asset_id in due:
        asset = await assets.find_asset(tx.conn, asset_id)
        taken, finding = await store.lock_list(tx.conn, asset_id)
        programs = await store.select_items(tx.conn, asset_id)
        items = [item_of(program) for program in programs]
        verdicts = await _compare(tx.conn, asset, items)
        numbers = (program.number for program in programs)
        await store.update_approved(tx.conn, asset_id, zip(numbers, verdicts, strict=True))
        await _settle(tx, asset, taken, finding, items, verdicts)
    return len(due)


async def _compare(conn: Connection, asset: Asset, items: Iterable[Item]) -> list[bool | None]:
    entries = await store.select_entries_for(conn, asset.site_id, asset_type_of(asset))
    if not entries:
        return [None for _ in items]
    listed = ApprovedList.of(entries)
    return [listed.approves(item) for item in items]


async def _settle(
    tx: Transaction,
    asset: Asset,
    taken: Taken,
    finding: Finding | None,
    items: Sequence[Item],
    verdicts: Sequence[bool | None],
) -> Taken:
    """Stores what a comparison has found; raises an alert for what is new on no list, and resolves one that is over."""
    labels = [label(item) for item, verdict in zip(items, verdicts, strict=True) if verdict is False]
    wrong = labels if asset.state not in FINAL else []
    compared = all(verdict is not None for verdict in verdicts)
    taken = taken.model_copy(update={"items": len(items), "unapproved": len(labels) if compared else None})
    service = tx.acting_as(f"service:{tx.service}")
    if finding is not None and (not wrong or is_news(finding, wrong)):
        _resolve(service, asset, finding)
        finding = None
    if wrong and finding is None:
        finding = _raise(service, asset, wrong)
    await store.update_list(tx.conn, taken, finding)
    return taken


def _raise(tx: Transaction, asset: Asset, labels: Sequence[str]) -> Finding:
    finding = Finding(new_id(), tx.now, frozenset(labels))
    raised = AlertRaised(
        alert_id=finding.alert_id,
        check=CHECK,
        asset_name=asset.name,
        severity="warning",
        summary=summary_of(labels),
        since=tx.now,
        system_id=system_of(asset),
    )
    tx.record(raised, subject=asset.id, site_id=asset.site_id)
    return finding


def _resolve(tx: Transaction, asset: Asset, finding: Finding) -> None:
    resolved = AlertResolved(
        alert_id=finding.alert_id,
        check=CHECK,
        asset_name=asset.name,
        summary="What this told of is gone, approved, or told of anew",
        raised_at=finding.raised_at,
        resolved_at=tx.now,
        system_id=system_of(asset),
    )
    tx.record(resolved, subject=asset.id, site_id=asset.site_id)


async def approve_software(tx: Transaction, wanted: NewApproval) -> ApprovedSoftware:
    """Adds an entry to an approved list. Raises NotFound when there is no such site."""
    await store.lock_lists(tx.conn)
    entry = ApprovedSoftware(**wanted.model_dump(), id=new_id(), version=1)
    await store.insert_entry(tx.conn, entry)
    await _told(tx, None, entry)
    return entry


async def change_approval(
    tx: Transaction, entry_id: str, expected_version: int, wanted: ApproveSoftware
) -> ApprovedSoftware:
    """Replaces all of an entry but its site. Raises NotFound, Stale."""
    await store.lock_lists(tx.conn)
    old = await _find_entry(tx, entry_id, expected_version)
    entry = old.model_copy(update={**wanted.model_dump(), "version": old.version + 1})
    await store.update_entry(tx.conn, entry, expected_version)
    await _told(tx, old, entry)
    return entry


async def end_approval(tx: Transaction, entry_id: str, expected_version: int) -> ApprovedSoftware:
    """Takes an entry away. Raises NotFound, Stale."""
    await store.lock_lists(tx.conn)
    old = await _find_entry(tx, entry_id, expected_version)
    await store.delete_entry(tx.conn, entry_id, expected_version)
    ended = old.model_copy(update={"version": old.version + 1})
    await _told(tx, old, None, ended)
    return ended


async def _find_entry(tx: Transaction, entry_id: str, expected_version: int) -> ApprovedSoftware:
    entry = await store.select_entry(tx.conn, entry_id)
    check_version(f"approved software {entry_id}", entry, expected_version)
    return entry


async def _told(
    tx: Transaction, old: ApprovedSoftware | None, new: ApprovedSoftware | None, ended: ApprovedSoftware | None = None
) -> None:
    shown = new or ended
    if shown is None:
        return
    await keep(tx, "approved_software", old, new)
    await store.mark_due(tx.conn, shown.site_id)
    tx.record(full_state(shown, deleted=new is None), subject=shown.id, site_id=shown.site_id)


async def take_mds2(tx: Transaction, asset_id: str, document: Document, answers: Sequence[Answer]) -> Form:
    """Makes a form what is known of an asset's security. Raises NotFound, or Conflict as ``take_sbom`` does."""
    asset = await assets.find_asset(tx.conn, asset_id)
    check_not_ended(asset)
    check_belongs(document, asset)
    facts = _taken(asset, document, len(answers), tx.actor, tx.now).model_dump(exclude={"items", "unapproved"})
    form = Form.of(answers, **facts)
    await store.upsert_form(tx.conn, form)
    recorded = Mds2Recorded(
        document_id=document.id,
        sha256=document.sha256,
        answers=sum(answer.answer != "none" for answer in answers),
        lacking=[one.question for one in form.lacking],
    )
    tx.record(recorded, subject=asset.id, site_id=asset.site_id)
    return form


def _taken(asset: Asset, document: Document, items: int, actor: str, now: datetime) -> Taken:
    return Taken(
        asset_id=asset.id,
        site_id=asset.site_id,
        document_id=document.id,
        sha256=document.sha256,
        items=items,
        unapproved=None,
        taken_at=now,
        taken_by=actor,
    )
