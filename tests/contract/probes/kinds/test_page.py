"""The page of kinds is what the code says."""

from services.probes.kinds.publish import PAGE, page
from services.probes.suites.handlers import SUITE_KINDS


def test_page_is_in_step_with_the_kinds() -> None:
    """A kind, a setting, a measure or a failure that was changed is changed there too."""
    assert PAGE.read_text() == page(), "write it anew: .venv/bin/python -m services.probes.kinds.publish"


def test_every_kind_is_told() -> None:
    """By its name, as a heading; those of suites too."""
    headings = [line for line in page().splitlines() if line.startswith("## ")]
    assert headings[1:] == [f"## {name}" for name in SUITE_KINDS]
