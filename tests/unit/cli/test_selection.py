"""Waiting ends with the first answer that is good enough, or says what there was instead."""

from collections.abc import Iterator
from typing import Any

import click
import pytest

from services.cli import selection
from services.cli.selection import Selection, split_pairs


def page(*states: str) -> dict[str, Any]:
    return {"items": [{"state": state} for state in states], "next": None}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks again at once."""
    monkeypatch.setattr(selection, "PAUSE", 0)


def test_it_waits_for_as_many_as_were_asked_for_and_shows_those_alone(capsys: pytest.CaptureFixture[str]) -> None:
    answers: Iterator[dict[str, Any]] = iter([page(), page("done"), page("done", "failed", "done"), page("never read")])
    Selection([("state", "done")], wait=60, at_least=2, fields=["state"]).show(lambda: next(answers))
    assert capsys.readouterr().out == "done\ndone\n"
    assert next(answers) == page("never read")


def test_it_waits_for_a_state_of_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    answers = iter([{"state": "leased"}, {"state": "done"}])
    Selection([("state", "done")], wait=60, at_least=1, fields=["state"]).show(lambda: next(answers))
    assert capsys.readouterr().out == "done\n"


def test_waiting_in_vain_tells_what_was_wanted_and_what_there_is() -> None:
    with pytest.raises(click.ClickException, match=r'for 1 with state=done, and found 0.*\{"state": "failed"\}'):
        Selection([("state", "done")], wait=0, at_least=1, fields=[]).show(lambda: page("failed"))


def test_without_waiting_nothing_found_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    Selection([("state", "done")], wait=None, at_least=1, fields=["state"]).show(lambda: page("failed"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("pair", ["site_id", "=north", ""])
def test_what_is_no_pair_is_refused_with_an_example(pair: str) -> None:
    with pytest.raises(click.BadParameter, match="must be name=value, for example site_id=north"):
        split_pairs([pair])
