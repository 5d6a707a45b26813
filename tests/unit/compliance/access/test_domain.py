"""What a key may be given, and for how long."""

from datetime import UTC, datetime, timedelta

import pytest

from services.compliance.access.domain import LONGEST, Key, check_expiry, check_grants, revoke
from shared.errors import Conflict, Forbidden, Malformed
from shared.grants import Caller, Grant

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def caller(*grants: str) -> Caller:
    """Somebody who holds the grants."""
    return Caller("alice", frozenset(map(Grant.parse, grants)))


def test_grants_are_kept_in_one_form() -> None:
    """Sorted and without repeats."""
    admin = caller("group-admin:*")
    assert check_grants(admin, ["viewer:north", "operator:*", "viewer:north"]) == ["operator:*", "viewer:north"]


@pytest.mark.parametrize("grant", ["auditor:*", "auditor:north", "approver:north", "service:*"])
def test_nobody_grants_what_he_does_not_hold(grant: str) -> None:
    """An administrator does not approve and does not audit, so his keys do not either."""
    with pytest.raises(Forbidden, match="hold it yourself"):
        check_grants(caller("group-admin:*"), [grant])
    assert check_grants(caller("group-admin:*", grant), [grant]) == [grant]


def test_administrator_of_one_site_grants_nothing_elsewhere() -> None:
    """Neither at another site nor in the whole group."""
    for grant in ("viewer:south", "viewer:*"):
        with pytest.raises(Forbidden):
            check_grants(caller("site-admin:north"), [grant])


@pytest.mark.parametrize("grant", ["viewer", "king:north", "viewer:North", "viewer:group"])
def test_malformed_grants_are_refused(grant: str) -> None:
    """With the field and an example."""
    with pytest.raises(Malformed, match="grants"):
        check_grants(caller("group-admin:*"), [grant])


@pytest.mark.parametrize("ahead", [timedelta(0), -timedelta(days=1), LONGEST + timedelta(seconds=1)])
def test_expiry_lies_ahead_and_within_a_year(ahead: timedelta) -> None:
    """The bounds themselves: now is too early, a year is still good."""
    check_expiry(NOW + LONGEST, NOW)
    with pytest.raises(Malformed, match="expires_at"):
        check_expiry(NOW + ahead, NOW)


def test_a_key_is_revoked_once() -> None:
    """A second revocation would cover up who made the first."""
    key = Key(
        id="1", name="k", grants=[], issued_by="alice", issued_at=NOW, expires_at=NOW + timedelta(days=1), version=1
    )
    revoked = revoke(key, "bob", NOW)
    assert (revoked.revoked_by, revoked.revoked_at, revoked.version) == ("bob", NOW, 2)
    with pytest.raises(Conflict, match="bob"):
        revoke(revoked, "carol", NOW)
