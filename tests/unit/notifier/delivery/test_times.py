"""Times as a person at the site reads them."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifier.delivery.times import duration, local_and_utc, local_span


@pytest.mark.parametrize(
    ("instant", "zone", "expected"),
    [
        ("2026-06-13T20:00Z", "Europe/Berlin", "Sat 13 Jun 2026, 22:00 CEST (20:00 UTC)"),
        ("2026-06-13T22:30Z", "Europe/Berlin", "Sun 14 Jun 2026, 00:30 CEST (Sat 13 Jun 2026, 22:30 UTC)"),
        ("2026-10-25T00:30Z", "Europe/Berlin", "Sun 25 Oct 2026, 02:30 CEST (00:30 UTC)"),
        ("2026-10-25T01:30Z", "Europe/Berlin", "Sun 25 Oct 2026, 02:30 CET (01:30 UTC)"),
        ("2026-06-13T20:00Z", "America/Sao_Paulo", "Sat 13 Jun 2026, 17:00 UTC-03 (20:00 UTC)"),
        ("2026-06-13T20:00Z", "UTC", "Sat 13 Jun 2026, 20:00 UTC"),
    ],
)
def test_the_sites_time_stands_first_and_utc_beside_it(instant: str, zone: str, expected: str) -> None:
    assert local_and_utc(datetime.fromisoformat(instant), zone) == expected


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-06-13T20:00Z", 4, "Sat 13 Jun 2026, 22:00–02:00 CEST"),
        ("2026-06-13T20:00Z", 30, "Sat 13 Jun 2026, 22:00–Mon 15 Jun 2026, 04:00 CEST"),
        ("2026-10-24T22:00Z", 5, "Sun 25 Oct 2026, 00:00 CEST–04:00 CET"),
        ("2026-10-24T22:00Z", 25, "Sun 25 Oct 2026, 00:00 CEST–Mon 26 Oct 2026, 00:00 CET"),
    ],
)
def test_a_span_names_what_differs_at_its_end(start: str, hours: int, expected: str) -> None:
    first = datetime.fromisoformat(start)
    assert local_span(first, first + timedelta(hours=hours), "Europe/Berlin") == expected


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(hours=4), "4 h"),
        (timedelta(hours=1, minutes=30), "1 h 30 min"),
        (timedelta(days=2, minutes=5), "2 d 5 min"),
        (timedelta(seconds=59), "under a minute"),
        (timedelta(seconds=-5), "under a minute"),
    ],
)
def test_a_duration_is_said_in_the_largest_units(length: timedelta, expected: str) -> None:
    start = datetime(2026, 6, 13, tzinfo=UTC)
    assert duration(start, start + length) == expected
