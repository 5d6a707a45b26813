"""The checks of pages find what they are for."""

from collections.abc import Callable

import pytest

from tests.contract.docs import test_names
from tests.contract.docs.pages import Page

Check = Callable[[Page], None]

LINKS: Check = test_names.test_links_lead_somewhere
FILES: Check = test_names.test_files_exist
REQUESTS: Check = test_names.test_requests_are_answered
COMMANDS: Check = test_names.test_commands_are_there
SETTINGS: Check = test_names.test_settings_and_metrics_are_those_of_the_code
EVENTS: Check = test_names.test_events_have_a_contract


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (LINKS, "[the log](guides/nothing.md)"),
        (LINKS, "[the log](guides/auditor.md#nothing)"),
        (FILES, "`services/nothing/api.py`"),
        (FILES, "`services/inventory/sites/SURELY_not.py`"),
        (FILES, "\n\n    .venv/bin/pytest tests/unit/nothing\n"),
        (REQUESTS, "`/inventory/v1/nothing`"),
        (REQUESTS, "`DELETE /inventory/v1/sites/{site_id}`"),
        (REQUESTS, '```bash\ncurl "$STEWARD_URL/compliance/v1/log/head" --data "{}"\n```'),
        (REQUESTS, '```bash\ncurl "$STEWARD_URL/compliance/v1/events?author=anna"\n```'),
        (REQUESTS, '```bash\ncurl --get "$STEWARD_URL/compliance/v1/events" --data-urlencode "author=anna"\n```'),
        (COMMANDS, "`steward log forge`"),
        (COMMANDS, "`steward change nothings ID state=done`"),
        (COMMANDS, "`steward get history thing_id=COMPONENT`"),
        (COMMANDS, "```bash\nset=$(steward get sites --wherever id=north)\n```"),
        (COMMANDS, "`make nothing`"),
        (COMMANDS, "`python -m services.nothing`"),
        (SETTINGS, "`STEWARD_NOTHING`"),
        (SETTINGS, "`steward_nothing_total`"),
        (EVENTS, "`asset.vanished`"),
    ],
)
def test_what_is_not_there_is_found(check: Check, text: str) -> None:
    """Each of these pages names one thing that does not exist."""
    with pytest.raises(AssertionError):
        check(Page("docs/page.md", f"# Page\n\n{text}\n"))


@pytest.mark.parametrize(
    ("check", "text"),
    [
        (LINKS, "[the log](guides/auditor.md#checking), [RFC](https://www.rfc-editor.org/rfc/rfc6962)"),
        (FILES, "`services/SERVICE/migrations/0001_….sql`"),
        (REQUESTS, "`GET /inventory/v1/sites/north`, `/compliance/v1/…`"),
        (COMMANDS, "`steward run SERVICE`, `kubectl -n steward create secret generic steward-bus`"),
        (SETTINGS, "`STEWARD_DATABASE_FILE`, `steward_events_published_total`"),
        (EVENTS, "`asset.changed`, `event.raw`"),
    ],
)
def test_what_is_there_is_not_refused(check: Check, text: str) -> None:
    """Also where a name stands for many."""
    check(Page("docs/page.md", f"# Page\n\n{text}\n"))
