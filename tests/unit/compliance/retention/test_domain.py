"""How long entries stay, and what keeps them for longer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.retention.domain import (
    LEAST_DAYS,
    Hold,
    Partition,
    Policy,
    check_kind,
    check_policy,
    days_of,
    due_at,
    keeps,
    release,
    touches,
)
from shared.errors import Conflict, Malformed

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SITES = ("north", "south")
TYPES = ("probe.result", "patch.applied")
maybe_site, maybe_type = st.sampled_from([None, *SITES]), st.sampled_from([None, *TYPES])
kinds = st.frozensets(st.tuples(st.sampled_from(SITES), st.sampled_from(TYPES)), min_size=1)
policies = st.lists(
    st.builds(
        Policy,
        id=st.just("p"),
        site_id=maybe_site,
        type=maybe_type,
        days=st.integers(1, 9000),
        reason=st.none(),
        version=st.just(1),
    ),
    max_size=6,
    unique_by=lambda found: (found.site_id, found.type),
)


def partition(found: frozenset[tuple[str, str]], days: int = 30, held: frozenset[str] = frozenset()) -> Partition:
    """A complete partition whose events lie in the first days after T0."""
    last = T0 + timedelta(days=days)
    return Partition(0, 0, 512, True, T0, last, last, found, held)


def hold(**parts: object) -> Hold:
    """A hold that is open but for ``parts``."""
    whole = {"site_id": None, "type": None, "subject": None, "from_time": None, "to_time": None}
    return Hold.model_validate(
        {"id": "h", "reason": "a case", "placed_by": "admin", "placed_at": T0, "version": 1} | whole | parts
    )


@given(policies, st.sampled_from(SITES), st.sampled_from(TYPES))
def test_the_most_specific_policy_counts(found: Sequence[Policy], site_id: str, event_type: str) -> None:
    """One for the site and the type, else the longer of one for either, else one for all, else six years."""
    by_scope = {(policy.site_id, policy.type): policy.days for policy in found}
    either = [by_scope[scope] for scope in ((site_id, None), (None, event_type)) if scope in by_scope]
    expected = by_scope.get((site_id, event_type)) or (
        max(either) if either else by_scope.get((None, None), LEAST_DAYS)
    )
    assert days_of(found, (site_id, event_type)) == expected


@given(policies, kinds, st.integers(0, 12_000))
def test_a_partition_goes_when_its_last_kind_may(
    found: Sequence[Policy], occurring: frozenset[tuple[str, str]], days: int
) -> None:
    """Neither a day earlier nor later than the longest policy of what occurs in it demands."""
    part = partition(occurring)
    longest = max(days_of(found, kind) for kind in occurring)
    assert due_at(part, found) == part.last_recorded + timedelta(days=longest)
    now = part.last_recorded + timedelta(days=days)
    assert bool(keeps(part, found, [], now)) == (days < longest)


@given(kinds, maybe_site, maybe_type)
def test_a_hold_keeps_what_it_names_and_nothing_else(
    occurring: frozenset[tuple[str, str]], site: str | None, kind: str | None
) -> None:
    """A hold of a site and a type touches a partition in which exactly such entries occur."""
    fits = any(site in (None, s) and kind in (None, t) for s, t in occurring)
    held = hold(site_id=site, type=kind)
    assert touches(held, partition(occurring)) == fits
    assert bool(keeps(partition(occurring), [], [held], T0 + timedelta(days=20_000))) == fits


@pytest.mark.parametrize(
    ("parts", "touched"),
    [
        ({"to_time": T0}, False),
        ({"to_time": T0 + timedelta(seconds=1)}, True),
        ({"from_time": T0 + timedelta(days=30)}, True),
        ({"from_time": T0 + timedelta(days=30, seconds=1)}, False),
        ({"subject": "archive"}, True),
        ({"subject": "viewer"}, False),
        ({"released_at": T0}, False),
    ],
)
def test_the_edges_of_a_hold(parts: dict[str, object], touched: bool) -> None:
    """Its start is included and its end is not; one that was released keeps nothing."""
    part = partition(frozenset({("north", "probe.result")}), held=frozenset({"archive"}))
    assert touches(hold(**parts), part) == touched


def test_a_partition_that_still_grows_stays() -> None:
    """However old its entries are."""
    part = Partition(0, 0, 512, False, T0, T0, T0, frozenset({("north", "probe.result")}))
    assert keeps(part, [], [], T0 + timedelta(days=20_000)) == ["the log has not grown past it"]


def test_less_than_six_years_needs_a_reason() -> None:
    """Six years need none."""
    check_policy(LEAST_DAYS, None)
    check_policy(1, "a test system")
    with pytest.raises(Malformed, match="2192"):
        check_policy(LEAST_DAYS - 1, None)


@pytest.mark.parametrize(("sites", "example"), [({"group", "south", "north"}, "north"), ({"group"}, "group")])
def test_a_site_that_is_not_known_is_refused_with_one_that_is(sites: set[str], example: str) -> None:
    """A hospital rather than the group, which sorts before most of them."""
    check_kind((None, None), sites, {"patch.applied"})
    check_kind(("group", "patch.applied"), sites, {"patch.applied"})
    with pytest.raises(Malformed) as refused:
        check_kind(("west", None), sites, {"patch.applied"})
    assert refused.value.extra["errors"][0]["example"] == example


def test_a_hold_is_released_once() -> None:
    """And says by whom."""
    released = release(hold(), "anna", T0, "closed")
    assert (released.released_by, released.version) == ("anna", 2)
    with pytest.raises(Conflict, match="by anna"):
        release(released, "ben", T0, "closed")
