"""What agents are given, and what they bring."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from services.probes.agents import store
from services.probes.agents.domain import (
    Agent,
    Assignment,
    Assignments,
    Brought,
    Delivery,
    Errand,
    Receipt,
    is_catching_up,
    is_clock_wrong,
    receipt_of,
)
from services.probes.runs.domain import LARGEST_SKEW, Reception
from services.probes.runs.handlers import RunRules, probes_of_vantage, take_results
from services.probes.suites.domain import Leased, key_of_item
from services.probes.suites.handlers import find_item_of_vantage, find_items_of_vantage, finish_item
from services.probes.suites.report import seen_of
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.transactions import Transaction

Sites = Collection[str] | None
"""The sites at which a caller may act as an agent; None stands for all."""


async def find_assignments(conn: Connection, name: str, sites: Sites) -> Assignments:
    """The probes of that vantage at those sites, by id, and what it is to ask once.

    Raises NotFound for a name that no check there has, and that was never heard of from there.
    """
    found = await probes_of_vantage(conn, name)
    items = [Assignment.of(probe) for probe in found if _is_at(probe.site_id, sites)]
    given = await find_items_of_vantage(conn, name)
    errands = [Errand.of(one) for one in given if _is_at(one.leased.site_id, sites)]
    if not items and not errands and not await store.has_agent(conn, name, sites):
        raise NotFound(f"no agent {name}")
    return Assignments(vantage=name, items=items, errands=errands)


async def find_agents(conn: Connection, visible: Sites) -> list[Agent]:
    """All agents that probe these sites, by name."""
    return await store.select_agents(conn, visible, None, None)


async def take_delivery(tx: Transaction, sites: Sites, delivery: Delivery, rules: RunRules) -> Receipt:
    """Takes what the agent at ``rules.vantage`` saw, each result once, and remembers how it stands.

    A result of a probe that is not the agent's (any more), that was brought before, or that is dated into the future,
    is refused by itself. Raises Conflict while the agent's clock is wrong: its results wait at the agent, and who looks
    after it is told.
    """
    work = await find_assignments(tx.conn, rules.vantage, sites)
    places = {one.site_id for one in work.items}.union(sites or ())
    offset = (delivery.sent_at - tx.now).total_seconds()
    if is_clock_wrong(delivery.sent_at, tx.now):
        raise Conflict(
            f"the agent's clock is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} the service's;"
            f" set it to within {LARGEST_SKEW.total_seconds():.0f} s, for example by NTP"
        )
    behind_since = await store.upsert_agent(tx.conn, rules.vantage, places, tx.now, 1000 * offset, delivery)
    rules = replace(rules, is_behind=is_catching_up(behind_since, tx.now))
    admitted = {one.probe_id for one in work.items}
    ours = [one for one in delivery.results if one.probe_id in admitted]
    received = iter(await take_results(tx, ours, rules))
    answered = await _take_items(tx, delivery.results, rules.vantage, sites)
    return receipt_of(
        [
            (one, next(received) if one.probe_id in admitted else answered.get(index, "unknown"))
            for index, one in enumerate(delivery.results)
        ],
        work.tag,
    )


async def _take_items(tx: Transaction, results: Sequence[Brought], vantage: str, sites: Sites) -> dict[int, Reception]:
    """Ends the items of suites that were answered, and says by place what became of each answer.

    By their ids, so that two deliveries don't wait for each other's runs.
    """
    keys = {index: key for index, one in enumerate(results) if (key := key_of_item(one.probe_id)) is not None}
    return {
        index: await _take_item(tx, results[index], await find_item_of_vantage(tx.conn, vantage, *keys[index]), sites)
        for index in sorted(keys, key=lambda index: keys[index])
    }


async def _take_item(tx: Transaction, one: Brought, leased: Leased | None, sites: Sites) -> Reception:
    if leased is None or not _is_at(leased.site_id, sites):
        return "unknown"
    if one.started_at > tx.now + LARGEST_SKEW:
        return "from the future"
    is_taken = await finish_item(tx, leased, seen_of(leased, one.observation, one.started_at))
    return "taken" if is_taken else "repeated"


def _is_at(site_id: str, sites: Sites) -> bool:
    return sites is None or site_id in sites
