"""Which of two versions is the later one."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from services.inventory.vendors.versions import compare, version_key


@pytest.mark.parametrize(
    "ascending",
    [
        ["1.0-alpha", "1.0-beta.2", "1.0-rc1", "1.0", "1.0 SP1", "1.0.1", "1.1", "1.10", "2"],
        ["4.2 dev", "4.2a1", "4.2b1", "4.2", "4.2a", "4.2b", "4.2.1"],
        ["12.2.5", "12.2.5 Patch 1", "12.2.5 Patch 2", "12.2.6"],
        ["R2019", "R2021", "R2021a"],
        ["2023.4.1", "2024a", "2024b", "2025"],
        ["5.9", "v5.10", "Version 5.11"],
    ],
)
def test_versions_as_vendors_write_them_have_an_order(ascending: list[str]) -> None:
    """Each is later than all before it."""
    for at, earlier in enumerate(ascending):
        for later in ascending[at + 1 :]:
            assert (compare(earlier, later), compare(later, earlier)) == (-1, 1), (earlier, later)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.0", "1"), ("1.0.0-rc1", "1rc1"), ("v5.2", "5.2"), ("Ver. 5.2", "5.2"), ("5.2+build7", "5.2"), ("5_2", "5.2")],
)
def test_two_spellings_of_a_version_are_the_same(one: str, other: str) -> None:
    """Zeros at the end, a v in front, another sign between, the build."""
    assert compare(one, other) == 0


@given(st.lists(st.text(max_size=30), min_size=3, max_size=3))
def test_any_texts_have_one_order(texts: list[str]) -> None:
    """Sorting never fails, and what stands behind is never earlier: whatever a vendor calls a version."""
    ordered = sorted(texts, key=version_key)
    for earlier, later in pairwise(ordered):
        assert compare(earlier, later) <= 0 <= compare(later, earlier)


RELEASES = st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
ENDINGS = st.sampled_from(["", "a1", "b2", "rc1", "rc2", ".post1"])


@given(RELEASES, ENDINGS, RELEASES, ENDINGS)
def test_what_python_packages_say_is_said_too(one: str, end: str, other: str, other_end: str) -> None:
    """On versions that PEP 440 knows, the order is that of packaging."""
    left, right = one + end, other + other_end
    expected = (Version(left) > Version(right)) - (Version(left) < Version(right))
    assert compare(left, right) == expected
