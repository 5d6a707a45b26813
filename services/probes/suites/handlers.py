"""Commands on suites and their runs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from services.probes.checks.handlers import find_checks
from services.probes.conformance.dicom_conformance import OF_SUITES
from services.probes.conformance.domain import Matrix
from services.probes.conformance.handlers import forget_old_matrices, is_new_address, keep_matrix
from services.probes.kinds import KINDS
from services.probes.kinds.domain import Kind
from services.probes.runs.handlers import find_systems_under_load, wait_for_turn
from services.probes.suites import store
from services.probes.suites.builtin import BUILT_IN
from services.probes.suites.domain import (
    UNKNOWN_FOR,
    Given,
    Item,
    ItemRun,
    Leased,
    RunRequest,
    Seen,
    Suite,
    SuiteChange,
    SuiteDraft,
    SuiteRun,
    change_suite,
    check_same_request,
    draft_suite,
    new_run,
    requested,
    started,
)
from services.probes.suites.planning import Referred, System, check_items, check_items_secrets, left_out, plan_items
from services.probes.suites.report import completed, concluded, ended, failed_at_start, overdue, report_of
from services.probes.targets.domain import PROBED_STATES, Target
from services.probes.targets.handlers import find_nodes_touched_by, find_subject
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.events import GROUP, Event
from shared.events.inventory import AssetChanged
from shared.events.maintenance import SuiteRequested
from shared.resource import check_version
from shared.transactions import Transaction, new_id

_KINDS: tuple[type[Kind[Any]], ...] = (*KINDS, *OF_SUITES)
SUITE_KINDS: Mapping[str, type[Kind[Any]]] = {kind.name: kind for kind in _KINDS}
"""What an item of a suite can ask."""

MOST_FORGOTTEN = 1000
ASK_AGAIN_SECONDS = 1.0
GATHERING_SECONDS = 30.0
"""How long a run that new nodes ask for waits for more of them."""

NOWHERE_ELSE: Mapping[str, str | None] = {}
NEW_NODE = "A node of the system is new, or has a new address."


async def create_suite(tx: Transaction, draft: SuiteDraft, may_use_group: bool) -> Suite:
    """Adds a suite, whose items may name the secrets of its site, and perhaps those of the group. Raises Malformed."""
    check_items(draft.items, SUITE_KINDS)
    check_items_secrets(draft.items, SUITE_KINDS, draft.site_id, may_use_group)
    suite = draft_suite(new_id(), draft)
    await store.insert_suite(tx.conn, suite)
    return suite


async def replace_suite(
    tx: Transaction, suite_id: str, expected_version: int, change: SuiteChange, may_use_group: bool
) -> Suite:
    """Changes a suite; runs that have begun keep their items. Raises NotFound, Stale, Malformed, Conflict."""
    old = await _own_suite(tx, suite_id, expected_version)
    check_items(change.items, SUITE_KINDS)
    check_items_secrets(change.items, SUITE_KINDS, old.site_id, may_use_group)
    suite = change_suite(old, change)
    await store.update_suite(tx.conn, suite, expected_version)
    return suite


async def delete_suite(tx: Transaction, suite_id: str, expected_version: int) -> Suite:
    """Deletes a suite and returns it as it was; its runs stay. Raises NotFound, Stale, Conflict."""
    suite = await _own_suite(tx, suite_id, expected_version)
    await store.delete_suite(tx.conn, suite_id, expected_version)
    return suite


async def _own_suite(tx: Transaction, suite_id: str, expected_version: int) -> Suite:
    if suite_id in BUILT_IN:
        raise Conflict(f"suite {suite_id} comes with Steward; make one of your own from its items")
    suite = await store.select_suite(tx.conn, suite_id)
    check_version(f"suite {suite_id}", suite, expected_version)
    return suite


async def find_suite(conn: Connection, suite_id: str) -> Suite:
    """One suite. Raises NotFound."""
    return BUILT_IN.get(suite_id) or await store.select_suite(conn, suite_id)


async def request_run(tx: Transaction, request: RunRequest, site_id: str) -> SuiteRun:
    """Asks for a run; one of that id is not run again. Raises Conflict when that one asks for something else."""
    run = new_run(request, request.id or new_id(), site_id, tx.actor, tx.now)
    if await store.insert_run(tx.conn, run, tx.correlation_id, tx.causation_id):
        return run
    existing = await store.select_run(tx.conn, run.id)
    # Who asks sees one site and must not learn of a run at another.
    if existing.site_id != site_id:
        raise Conflict(f"suite run {run.id} can't be asked for: the id is taken")
    check_same_request(existing, request)
    return existing


async def take_request(tx: Transaction, event: Event[SuiteRequested]) -> None:
    """Asks for the run that the event names, unless there is one of that id."""
    run = new_run(requested(event.subject, event.data), event.data.run_id, event.site_id, tx.actor, tx.now)
    await store.insert_run(tx.conn, run, tx.correlation_id, tx.causation_id)


async def check_new_node(tx: Transaction, event: Event[AssetChanged]) -> None:
    """Has the conformance matrix of a system made anew when it has a new node, or one at a new address."""
    node = event.data
    if node.dicom is None or node.system_id is None or node.state not in PROBED_STATES:
        return
    if not await is_new_address(tx, event.subject, node.dicom):
        return
    if await store.is_planned(tx.conn, "compatibility", node.system_id):
        return
    request = RunRequest(suite_id="compatibility", system_id=node.system_id, reason=NEW_NODE, about=event.subject)
    run = new_run(request, new_id(), event.site_id, _ourselves(tx), tx.now)
    await store.insert_run(tx.conn, run, tx.correlation_id, tx.causation_id)
    await store.postpone_run(tx.conn, run.id, GATHERING_SECONDS)


def _ourselves(tx: Transaction) -> str:
    return f"service:{tx.service}"


async def begin_next_run(tx: Transaction, vantages: Mapping[str, str | None] = NOWHERE_ELSE) -> bool:
    """Plans the items of the oldest run that waits for it; false when none does.

    The nodes of the sites in ``vantages`` are left to agents; where that is nobody, a run that we asked for ourselves
    asks none.
    """
    run = await store.lock_planned_run(tx.conn)
    if run is None:
        return False
    try:
        suite = await find_suite(tx.conn, run.suite_id)
    except NotFound as exc:
        await _conclude(tx, run, [], f"It can't be run: {exc.detail}.")
        return True
    except ValidationError:
        await _conclude(tx, run, [], f"It can't be run: suite {run.suite_id} is from another version; save it again.")
        return True
    try:
        system = await find_subject(tx.conn, run.system_id)
    except NotFound as exc:
        if tx.now - run.requested_at < UNKNOWN_FOR:
            await store.postpone_run(tx.conn, run.id, ASK_AGAIN_SECONDS)
        else:
            await _conclude(tx, run, [], f"It can't be run: {exc.detail}.")
        return True
    if run.site_id != system.site_id or suite.site_id not in (GROUP, system.site_id):
        await _conclude(tx, run, [], f"It can't be run: suite and system are not both of site {run.site_id}.")
        return True
    vantage = vantages.get(run.site_id)
    planned_on = await _system(tx.conn, system.name, run, suite.items, vantage)
    items = plan_items(suite.items, planned_on, SUITE_KINDS, run.settings)
    if run.site_id in vantages and vantage is None and run.requested_by == _ourselves(tx):
        items = left_out(items, f"the settings leave the nodes of {run.site_id} to nobody")
    running = started(run, suite, tx.now)
    await store.insert_items(tx.conn, run.id, items)
    await store.update_run(tx.conn, running)
    await _conclude_if_done(tx, running, items)
    return True


async def _system(conn: Connection, name: str, run: SuiteRun, items: Sequence[Item], vantage: str | None) -> System:
    named: dict[str, Target] = {}
    for item in items:
        if item.subject is not None:
            found = await find_nodes_touched_by(conn, item.subject)
            named |= {node.id: node for node in found if node.id == item.subject and node.site_id == run.site_id}
    checks = await find_checks(conn, [item.check_id for item in items if item.check_id is not None])
    return System(
        id=run.system_id,
        name=name,
        site_id=run.site_id,
        nodes=await find_nodes_touched_by(conn, run.system_id),
        named=named,
        checks={
            check.id: Referred(check.kind, check.settings, check.subject, check.name, check.vantage)
            for check in checks
            if check.site_id == run.site_id
        },
        vantage=vantage,
    )


async def lease_items(tx: Transaction, slack: float, limit: int) -> list[Leased]:
    """Takes items to run, each for its time-out and ``slack`` seconds; of heavy ones none beside a heavy probe."""
    await wait_for_turn(tx)
    return await store.lease_items(tx.conn, new_id(), slack, limit, await find_systems_under_load(tx.conn))


async def finish_item(tx: Transaction, leased: Leased, seen: Seen) -> bool:
    """Keeps what came of an item with its evidence, and ends the run with its last; false when the lease was lost."""
    evidence = hashlib.sha256(seen.evidence).hexdigest()
    # All items of a run end one after the other, so that exactly one of them is seen to be the last.
    run = await store.lock_run(tx.conn, leased.run_id)
    if not await store.end_lease(tx.conn, leased, ended(leased.item, seen, evidence, tx.now)):
        return False
    await store.insert_evidence(tx.conn, evidence, seen.evidence)
    if seen.cells:
        await keep_matrix(tx, _matrix(leased, seen))
    await _conclude_if_done(tx, run, await store.select_items(tx.conn, run.id))
    return True


async def find_items_of_vantage(conn: Connection, vantage: str) -> list[Given]:
    """The items that the agent of that name is to run, each once."""
    return await store.select_items_of_vantage(conn, vantage)


async def find_item_of_vantage(conn: Connection, vantage: str, run_id: str, position: int) -> Leased | None:
    """An item that is, or was, left to the agent of that name; None where there is none of that key."""
    leased = await store.select_item_of_vantage(conn, vantage, run_id, position)
    return leased and replace(leased, item=leased.item.model_copy(update={"attempts": 1}))


def _matrix(leased: Leased, seen: Seen) -> Matrix:
    return Matrix(
        id=new_id(),
        run_id=leased.run_id,
        position=leased.item.position,
        subject=leased.item.subject,
        subject_name=leased.item.subject_name,
        site_id=leased.site_id,
        ae_title=seen.ae_title,
        calling_ae_title=seen.calling_ae_title,
        taken_at=seen.started_at,
        cells=list(seen.cells),
        accepted=sum(one.accepted for one in seen.cells),
        refused=sum(not one.accepted for one in seen.cells),
        missing=sum(one.is_missing for one in seen.cells),
    )


async def give_back(conn: Connection, leased: Leased) -> None:
    """Lets another runner take the item at once."""
    await store.give_back(conn, leased)


async def end_overdue_run(tx: Transaction) -> bool:
    """Ends a run whose time is over: what has not ended is told as not run; false when there is none."""
    run = await store.lock_overdue_run(tx.conn)
    if run is None:
        return False
    items = [overdue(item, tx.now) for item in await store.select_items(tx.conn, run.id)]
    await store.end_undone(tx.conn, run.id, items)
    await _conclude_if_done(tx, run, items)
    return True


async def forget_old_runs(tx: Transaction, history: timedelta) -> None:
    """Deletes runs that ended longer ago than ``history``, with all that they have shown; the oldest 1,000 of them."""
    await store.delete_runs_before(tx.conn, tx.now - history, MOST_FORGOTTEN)
    await forget_old_matrices(tx, history)


async def _conclude_if_done(tx: Transaction, run: SuiteRun, items: Sequence[ItemRun]) -> None:
    if all(item.state == "done" for item in items):
        await _conclude(tx, run, items)


async def _conclude(tx: Transaction, run: SuiteRun, items: Sequence[ItemRun], failure: str | None = None) -> None:
    report = json.dumps(report_of(run, items), ensure_ascii=False, sort_keys=True).encode()
    digest = hashlib.sha256(report).hexdigest()
    done = concluded(run, items, digest, tx.now)
    if failure is not None:
        done = failed_at_start(run, failure, digest, tx.now)
    await store.insert_evidence(tx.conn, digest, report)
    await store.update_run(tx.conn, done)
    correlation_id, causation_id = await store.select_flow(tx.conn, run.id)
    flow = replace(tx, actor=run.requested_by, correlation_id=correlation_id, causation_id=causation_id)
    flow.record(completed(done, items), subject=run.system_id, site_id=run.site_id)
