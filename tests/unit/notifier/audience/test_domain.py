"""Who hears what, and what things are called."""

from services.notifier.audience.domain import Place, audience_of, current_name, place_of


def test_alerts_are_for_admins_and_windows_for_everyone() -> None:
    assert audience_of("alert_raised") == audience_of("alert_resolved") == "admins"
    assert audience_of("reminder") == "everyone"


def test_unknown_site_has_its_id_and_utc_and_an_unknown_zone_is_utc() -> None:
    assert place_of("north", None, None) == Place("north", "UTC")
    assert place_of("north", "Northfield", "Mars/Olympus") == Place("Northfield", "UTC")


def test_newest_name_wins_then_the_told_one_then_the_id() -> None:
    assert current_name("a", "old", {"a": "new"}) == "new"
    assert current_name("a", " old ", {}) == "old"
    assert current_name("a", " ", {}) == "a"
