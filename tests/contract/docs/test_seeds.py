"""The page of the requirements tells what the tests claim, and they claim only what there is."""

from tests.seeds import PAGE, read_claims, read_rows, write_page


def test_page_tells_what_the_tests_claim() -> None:
    """docs/seeds.md has not drifted from docs/seeds.toml and the markers."""
    assert PAGE.read_text() == write_page(read_rows(), read_claims()), "run: make seeds"


def test_rows_are_numbered_without_gaps() -> None:
    """Issues and tests speak of rows by number, so none may move."""
    assert [row.id for row in read_rows()] == list(range(1, 95))


def test_claims_are_of_rows_that_there_are() -> None:
    """A typing error in a marker would else be a claim of nothing."""
    assert set(read_claims()) <= {row.id for row in read_rows()}


def test_no_unit_test_claims_a_row() -> None:
    """A row is met end to end: over the public API, the events and the real parts that it touches."""
    tests = [test for tests in read_claims().values() for test in tests]
    assert not [test for test in tests if not test.startswith(("tests/integration/", "tests/e2e/"))]
