"""What agents are given, and what they bring."""

from collections.abc import Collection

from services.probes.agents import store
from services.probes.agents.domain import (
    Assignment,
    Assignments,
    Delivery,
    Receipt,
    is_clock_wrong,
    receipt_of,
)
from services.probes.runs.domain import LARGEST_SKEW
from services.probes.runs.handlers import RunRules, probes_of_vantage, take_results
from shared.database import Connection
from shared.errors import Conflict, NotFound
from shared.transactions import Transaction

Sites = Collection[str] | None
"""The sites at which a caller may act as an agent; None stands for all."""


async def find_assignments(conn: Connection, name: str, sites: Sites) -> Assignments:
    """The probes of that vantage at those sites, by id.

    Raises NotFound for a name that no check there has, and that was never heard of from there.
    """
    found = await probes_of_vantage(conn, name)
    items = [Assignment.of(probe) for probe in found if sites is None or probe.site_id in sites]
    if not items and not await store.has_agent(conn, name, sites):
        raise NotFound(f"no agent {name}")
    return Assignments(vantage=name, items=items)


async def take_delivery(tx: Transaction, sites: Sites, delivery: Delivery, rules: RunRules) -> Receipt:
    """Takes what the agent at ``rules.vantage`` saw, each result once, and remembers how it stands.

    A result of a probe that is not the agent's (any more), that was brought before, or that is dated into the future,
    is refused by itself. Raises Conflict while the agent's clock is wrong: its results wait at the agent, and who looks
    after it is told.
    """
    work = await find_assignments(tx.conn, rules.vantage, sites)
    offset = (delivery.sent_at - tx.now).total_seconds()
    if is_clock_wrong(delivery.sent_at, tx.now):
        raise Conflict(
            f"the agent's clock is {abs(offset):.0f} s {'ahead of' if offset > 0 else 'behind'} the service's;"
            f" set it to within {LARGEST_SKEW.total_seconds():.0f} s, for example by NTP"
        )
    admitted = {one.probe_id for one in work.items}
    ours = [one for one in delivery.results if one.probe_id in admitted]
    received = iter(await take_results(tx, ours, rules))
    places = {one.site_id for one in work.items}.union(sites or ())
    await store.upsert_agent(tx.conn, rules.vantage, places, tx.now, 1000 * offset, delivery.waiting, delivery.lost)
    return receipt_of([(one, next(received) if one.probe_id in admitted else "unknown") for one in delivery.results])
