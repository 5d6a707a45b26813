"""What the command says when Steward does not answer, or refuses."""

import pytest
from click.testing import CliRunner

from services.__main__ import steward
from tests.parts.process import refusing_port


@pytest.mark.parametrize(
    "command", [["get", "sites"], ["create", "sites", "id=a"], ["demo", "list"], ["demo", "mails"]]
)
def test_a_steward_that_does_not_answer_is_named_without_a_traceback(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing_port() as port:
        url = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("STEWARD_URL", url)
        monkeypatch.setenv("STEWARD_TOKEN", "t")
        monkeypatch.setenv("STEWARD_DEMO", f"{url}/demo")
        monkeypatch.setenv("STEWARD_MAILBOX", f"{url}/demo/mailbox")
        told = CliRunner().invoke(steward, command)
    assert told.exit_code == 1
    assert told.output.startswith(f"Error: {url} does not answer: ")
