"""What index rows hold of times and correlation ids: made of many at once, it is what it is of each."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.compliance.log.columns import all_microseconds, correlations
from services.compliance.log.index import correlation_digest, microseconds
from services.compliance.verify.columns import bigints

UUIDS = st.uuids().map(str) | st.uuids().map(lambda one: str(one).upper())
ODD = (
    st.text(max_size=40)
    | UUIDS.map(lambda text: text[1:] + "-")
    | st.text("0123456789abcdef-_+ ", min_size=35, max_size=37)
)
TIMES = (
    st.datetimes(timezones=st.just(UTC))
    | st.datetimes(datetime(1969, 1, 1), datetime(2001, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- hypothesis wants naive bounds
    | st.integers(0, 2**34).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
)


@given(st.lists(UUIDS, min_size=1, max_size=9) | st.lists(UUIDS | ODD, max_size=9))
def test_correlation_ids_have_the_same_digests_together_as_apart(texts: list[str]) -> None:
    """UUIDs, what only looks like one, and what makes its neighbours look like one."""
    assert correlations(texts) == bigints([correlation_digest(text) for text in texts])


@pytest.mark.parametrize("texts", [["0" * 35, "0" * 37], ["0" * 35 + "é", "0" * 36], ["0" * 8 + "é" + "0" * 26]])
def test_neighbours_do_not_pass_for_uuids_together(texts: list[str]) -> None:
    """Where only the sum of their lengths is that of UUIDs, in characters or in bytes."""
    assert correlations(texts) == bigints([correlation_digest(text) for text in texts])


@given(st.lists(TIMES, max_size=40))
def test_times_are_the_same_together_as_apart(instants: list[datetime]) -> None:
    """Before 1970 and before 2000, after 2514, and to the second: where MessagePack writes them otherwise."""
    assert list(all_microseconds(instants)) == [microseconds(instant) for instant in instants]


@pytest.mark.parametrize("count", [1, 15, 16, 256, 2**16])
def test_times_of_any_number_are_the_same_together_as_apart(count: int) -> None:
    """MessagePack says in one byte, in three or in five how many there are."""
    instant = datetime(1999, 12, 31, 23, 59, 59, 999_999, UTC)
    assert list(all_microseconds([instant] * count)) == [-1] * count


def test_times_of_other_lengths_do_not_pass_for_each_other() -> None:
    """Five of six bytes and four of fifteen take as many as nine of ten."""
    instants = [datetime(2026, 1, 1, tzinfo=UTC)] * 5 + [datetime(1960, 1, 1, tzinfo=UTC)] * 4
    assert len(msgspec.msgpack.encode(instants)) == 1 + 9 * 10
    assert list(all_microseconds(instants)) == [microseconds(instant) for instant in instants]
