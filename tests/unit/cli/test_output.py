"""Fields are printed so that a shell can take them, and a wrong one is named."""

import json

import click
import pytest

from services.cli.output import show

NODES = [
    {"name": "north-pacs", "dicom": {"port": 104}, "probed": True, "reason": None},
    {"name": "ct", "dicom": {"port": 11112}, "probed": False, "reason": "the node is closed"},
]


def test_without_fields_the_answer_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": NODES, "next": None})
    assert json.loads(capsys.readouterr().out) == {"items": NODES, "next": None}


def test_one_field_of_one_thing_is_printed_bare(capsys: pytest.CaptureFixture[str]) -> None:
    show(NODES[0], ["name"])
    assert capsys.readouterr().out == "north-pacs\n"


def test_fields_of_many_stand_in_columns_and_nothing_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": NODES, "next": None}, ["name", "dicom.port", "probed", "reason"])
    assert capsys.readouterr().out == (
        "north-pacs  104    true   -\n"  #
        "ct          11112  false  the node is closed\n"
    )


def test_an_empty_page_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": [], "next": None}, ["name"])
    assert capsys.readouterr().out == ""


def test_a_thing_with_a_field_items_is_no_page(capsys: pytest.CaptureFixture[str]) -> None:
    show({"id": "r1", "items": None}, ["id", "items"])
    show({"id": "r1", "items": 3}, ["items"])
    assert capsys.readouterr().out == "r1  -\n3\n"


def test_a_field_that_nothing_has_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(click.ClickException, match=r"no field 'nmae'; there are: name, dicom, probed, reason"):
        show(NODES, ["nmae"])
