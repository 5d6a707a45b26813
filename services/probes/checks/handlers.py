"""Commands on checks, and what inventory's events do to them: each check that can be asked is a probe."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from services.probes.checks import store
from services.probes.checks.domain import (
    BulkResult,
    Check,
    CheckChange,
    CheckDraft,
    RowResult,
    change_check,
    check_upstream,
    draft_check,
    find_kind,
    probe_of,
)
from services.probes.kinds import KINDS
from services.probes.kinds.secret_names import check_secrets, secrets_in
from services.probes.runs.handlers import start_probe, stop_probe
from services.probes.targets.domain import Subject
from services.probes.targets.handlers import find_site_assets, find_subjects_touched_by, hold_subject
from shared.bulk import Problem, check_none_refused, parse_row
from shared.database import Connection
from shared.errors import Refused
from shared.events import Event
from shared.events.inventory import AssetChanged, AssetRetired
from shared.events.probes import CheckChanged
from shared.resource import check_version
from shared.transactions import Transaction, new_id

Admit = Callable[[str, str], None]
"""Raises NotFound or Forbidden unless the caller may work at a site (the first); the second names the thing."""


async def create_check(tx: Transaction, draft: CheckDraft, may_use_group: bool) -> Check:
    """Adds a check; it runs at once where its asset is in a state to answer.

    ``may_use_group`` is whether it may name secrets of the group.
    Raises NotFound for an asset that inventory has not told of, Malformed, and Conflict where the name is taken.
    """
    subject = await hold_subject(tx, draft.subject)
    check = draft_check(new_id(), draft, subject.site_id, KINDS)
    _check_secrets(check, may_use_group)
    await _check_upstream(tx, check)
    await store.insert_check(tx.conn, check)
    await _follow(tx, check, subject)
    _record(tx, check)
    return check


async def find_checks(conn: Connection, check_ids: Collection[str]) -> list[Check]:
    """Those of these checks that there are."""
    return await store.select_checks_by_id(conn, check_ids)


async def replace_check(
    tx: Transaction, check_id: str, expected_version: int, change: CheckChange, may_use_group: bool
) -> Check:
    """Changes a check; a run of it that is under way can no longer store its result if it asks another thing now.

    Raises NotFound, Stale, Malformed, Conflict.
    """
    old = await store.select_check(tx.conn, check_id)
    check_version(f"check {check_id}", old, expected_version)
    subject = await hold_subject(tx, old.subject)
    check = change_check(old, change, KINDS)
    _check_secrets(check, may_use_group)
    await _check_upstream(tx, check)
    await store.update_check(tx.conn, check)
    await _follow(tx, check, subject)
    _record(tx, check)
    return check


async def delete_check(tx: Transaction, check_id: str, expected_version: int) -> Check:
    """Ends a check, its probe and what alert it has, and returns it as it was. Raises NotFound, Stale."""
    check = await store.select_check(tx.conn, check_id)
    check_version(f"check {check_id}", check, expected_version)
    # An event that starts the asset's checks must not come between, or the probe would outlive its check.
    await hold_subject(tx, check.subject)
    await store.delete_check(tx.conn, check)
    await stop_probe(tx, check.probe_id, "the check was deleted")
    _record(tx, check, deleted=True)
    return check


async def create_checks(
    tx: Transaction, rows: Sequence[Any], admit: Admit, may_use_group: bool, atomic: bool
) -> BulkResult:
    """Adds a check for each row that is a draft and keeps the rules, and says what became of each.

    Raises RowsRefused, with the same list, where all or none were wanted and one was refused.
    """
    results = [await _create_row(tx, index, row, admit, may_use_group) for index, row in enumerate(rows)]
    if atomic:
        check_none_refused(results)
    refused = sum(result.problem is not None for result in results)
    return BulkResult(created=len(results) - refused, refused=refused, rows=results)


async def _create_row(tx: Transaction, index: int, row: Any, admit: Admit, may_use_group: bool) -> RowResult:
    try:
        draft = parse_row(CheckDraft, row, "/probes/v1/checks")
        subject = await hold_subject(tx, draft.subject)
        admit(subject.site_id, f"asset {subject.id}")
        return RowResult(index=index, check=await create_check(tx, draft, may_use_group))
    except Refused as exc:
        return RowResult(index=index, problem=Problem.of(exc))


async def follow_asset(tx: Transaction, event: Event[AssetChanged] | Event[AssetRetired]) -> None:
    """Starts and stops the checks of an asset, and of what belongs to it, as their states say now."""
    for subject in await find_subjects_touched_by(tx.conn, event.subject):
        await store.move_checks(tx.conn, subject.id, subject.site_id)
        for check in await store.select_checks_of(tx.conn, subject.id):
            await _follow(tx, check, subject)


async def _follow(tx: Transaction, check: Check, subject: Subject) -> None:
    reason = subject.reason if check.enabled else "the check is off"
    if reason is not None:
        await stop_probe(tx, check.probe_id, reason)
    else:
        await start_probe(tx, probe_of(check, subject, find_kind(check.kind, KINDS).is_heavy))


def _check_secrets(check: Check, may_use_group: bool) -> None:
    settings = find_kind(check.kind, KINDS).settings.model_validate(check.settings)
    check_secrets(secrets_in(settings), check.site_id, may_use_group)


async def _check_upstream(tx: Transaction, check: Check) -> None:
    check_upstream(check.subject, check.depends_on, await find_site_assets(tx.conn, check.site_id, check.depends_on))


def _record(tx: Transaction, check: Check, deleted: bool = False) -> None:
    event = CheckChanged(
        check_id=check.id,
        deleted=deleted,
        **check.model_dump(mode="json", exclude={"id", "subject", "site_id"}),
    )
    tx.record(event, subject=check.subject, site_id=check.site_id)
