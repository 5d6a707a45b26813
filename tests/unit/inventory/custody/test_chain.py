"""A chain of custody has no gap, no contradiction and no way back in time, whatever is told of it."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.custody.domain import (
    Custody,
    Link,
    Moves,
    certificate_for,
    check_link,
    check_may_be_recorded,
    local_day,
    why_incomplete,
)
from services.inventory.recyclers.domain import RecyclerDetails, certificate_on, check_details
from shared.errors import Conflict, Malformed, Refused
from shared.events.inventory import LifecycleState
from tests.unit.inventory.custody.chains import CERTIFICATE, NOW, RECYCLER, chain, drive, kept, link

HANDED = link("handed_over", "Ward 3", "IT store")
SEALED = link("sealed", "IT store", "IT store", 1, seal="S-1")

GAPS: list[tuple[list[Link], Link, str]] = [
    ([HANDED], link("handed_over", "Basement", "Vault", 2), "gap between 'IT store', who has it since"),
    ([HANDED], link("handed_over", "IT store", "Vault", -2), "lies before handed_over"),
    ([HANDED], link("shipped", "IT store", "Carrier", 2, seal="S-9"), "none was put on"),
    ([HANDED, SEALED], link("shipped", "IT store", "Carrier", 2), "seal S-1 is on it"),
    ([HANDED, SEALED], link("shipped", "IT store", "Carrier", 2, seal="S-2"), "seal S-1 was put on, and seal S-2"),
    (
        [link("destroyed", "IT store", "IT store", recycler_id=RECYCLER.id)],
        link("moved", "IT store", "IT store", 2),
        "nothing follows",
    ),
]
MALFORMED: list[tuple[Link, str]] = [
    (link("handed_over", "IT store", "it  STORE"), "to_holder"),
    (link("sealed", "IT store", "Vault", seal="S-1"), "to_holder"),
    (link("sealed", "IT store", "IT store"), "seal"),
    (link("picked_up", "IT store", "Greenloop", recycler_id=None), "recycler_id"),
    (link("moved", "IT store", "IT store", recycler_id=RECYCLER.id), "recycler_id"),
    (link("destroyed", "IT store", "IT store"), "recycler_id"),
    (link("handed_over", "IT store", "Vault", at=NOW + timedelta(minutes=6)), "at"),
]


@pytest.mark.parametrize(("before", "told", "named"), GAPS, ids=[named for _, _, named in GAPS])
def test_gaps_and_contradictions_are_refused_by_name(before: list[Link], told: Link, named: str) -> None:
    """The refusal says which asset it is about and what does not fit."""
    with pytest.raises(Conflict, match=named) as refused:
        check_link(drive(), chain(*before), {}, told, NOW)
    assert "Drive 0" in refused.value.detail


@pytest.mark.parametrize(("told", "field"), MALFORMED)
def test_what_makes_no_sense_by_itself_is_malformed(told: Link, field: str) -> None:
    """Whatever the chain before it says."""
    with pytest.raises(Malformed) as refused:
        check_link(drive(), [], {}, told, NOW)
    assert refused.value.extra["errors"][0]["field"] == field


def test_chain_to_the_recycler_is_complete() -> None:
    """Handed over, sealed, picked up under that seal, passed on downstream and destroyed there."""
    links = [
        HANDED,
        SEALED,
        link("moved", "IT Store", "it store", 2, place="Dock"),
        link("picked_up", "IT store", "Greenloop", 3, seal="s-1"),
        link("received", "Greenloop", "Copperworks", 9, seal="S-1"),
        link("destroyed", "Copperworks", "Copperworks", 10),
    ]
    for number, one in enumerate(links):
        before = chain(*links[:number])
        check_link(drive(), before, {}, one, NOW)
        assert (why_incomplete(before) is None) == (number > 3)
    assert why_incomplete([]) == "no custody is recorded"
    assert "'IT store' has it since 2026-03-01" in str(why_incomplete(chain(HANDED)))


RETIRING, SANITIZED = link("moved", "x", "x", 4).at, link("moved", "x", "x", 8).at
MOVES: Moves = {"retiring": RETIRING, "sanitized": SANITIZED}


@pytest.mark.parametrize(
    ("state", "told", "why"),
    [
        (
            "sanitized",
            link("handed_over", "Ward 3", "IT store", 3),
            "handed_over at .* lies before its move to retiring",
        ),
        (
            "sanitized",
            link("picked_up", "IT store", "Greenloop", 7),
            "picked_up at .* lies before its move to sanitized",
        ),
        ("isolated", link("picked_up", "IT store", "Greenloop", 9), "it is isolated, and only what is sanitized"),
        ("sanitized", link("handed_over", "Ward 3", "IT store", 4), None),
        ("sanitized", link("picked_up", "IT store", "Greenloop", 8), None),
        ("isolated", link("handed_over", "IT store", "Greenloop", 5), None),
        ("isolated", link("destroyed", "Greenloop", "Greenloop", 6, recycler_id=RECYCLER.id), None),
    ],
)
def test_custody_fits_the_time_of_its_asset(state: LifecycleState, told: Link, why: str | None) -> None:
    """Nothing before it was on its way out; no pickup before it was clean; destroyed by the recycler, it may be before.

    A clock that is a little behind does no harm, and what moved before moves were recorded is believed.
    """
    asset = drive(state=state)
    if why is None:
        check_link(asset, [], MOVES, told, NOW)
        return
    with pytest.raises(Conflict, match=why):
        check_link(asset, [], MOVES, told, NOW)
    if state == "sanitized":
        check_link(asset, [], {}, told, NOW)
        near = {move: told.at + timedelta(minutes=5) for move in MOVES}
        check_link(asset, [], near, told, NOW)


def test_certificate_is_judged_on_the_day_of_the_site() -> None:
    """The last day counts to its end by the site's clock; the same instant may be the next day elsewhere."""
    late = link("picked_up", "IT store", "Greenloop", at=datetime(2026, 3, 9, 23, 30, tzinfo=UTC))
    assert local_day(late.at, "Europe/Berlin") == date(2026, 3, 10)
    assert certificate_for(late, RECYCLER, "Europe/London") == CERTIFICATE
    with pytest.raises(Conflict, match=r"no certificate that is valid on 2026-03-10, only R2v3 R2-1"):
        certificate_for(late, RECYCLER, "Europe/Berlin")
    with pytest.raises(Malformed, match="must be the recycler"):
        certificate_for(link("picked_up", "IT store", "Somebody"), RECYCLER, "UTC")
    with pytest.raises(Conflict):
        certificate_on(RECYCLER, date(2025, 2, 28))


def test_certificate_does_not_end_before_it_begins() -> None:
    """Its number in the list is named."""
    turned = {"certification": "NAID AAA", "number": "7", "valid_from": "2026-01-02", "valid_until": "2026-01-01"}
    with pytest.raises(Malformed, match=r"certificates\.1\.valid_until"):
        check_details(RecyclerDetails.model_validate({"name": "G", "certificates": [CERTIFICATE, turned]}))


def test_custody_begins_when_the_asset_is_on_its_way_out() -> None:
    """Not while it serves, and not behind its system's closed dossier."""
    check_may_be_recorded(drive(state="closed"), drive(1))
    for asset, owner in ((drive(state="in_service"), drive(1)), (drive(), drive(1, state="closed"))):
        with pytest.raises(Conflict):
            check_may_be_recorded(asset, owner)


KINDS = ("handed_over", "moved", "received", "sealed", "shipped", "picked_up", "destroyed")
HOLDERS = ("Ward 3", "IT store", "Greenloop")


@given(
    st.lists(
        st.builds(
            lambda kind, one, other, hours, seal, recycled: link(
                kind, one, other, hours, seal=seal, recycler_id=RECYCLER.id if recycled else None
            ),
            st.sampled_from(KINDS),
            st.sampled_from(HOLDERS),
            st.sampled_from(HOLDERS),
            st.integers(0, 100),
            st.sampled_from((None, "S-1", "S-2")),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_no_telling_makes_a_chain_with_a_gap(told: list[Any]) -> None:
    """Whatever is accepted: each holder had it from the one before, in order of time, and destruction is the end."""
    accepted: list[Custody] = []
    for one in told:
        try:
            check_link(drive(), accepted, {}, one, NOW)
        except Refused:
            continue
        accepted.append(kept(one, len(accepted) + 1))
    for one, following in pairwise(accepted):
        assert one.to_holder == following.from_holder
        assert one.at <= following.at
        assert one.kind != "destroyed"
