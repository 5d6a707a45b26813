"""Makes docs/seeds.md: each row of the requirements, and the tests that claim to meet it.

``python -m tests.seeds``, or ``make seeds``. A test claims a row by ``@pytest.mark.seed("53")``.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from tests.source import ROOT, Module, modules

ROWS = ROOT / "docs" / "seeds.toml"
PAGE = ROOT / "docs" / "seeds.md"
MARKER = "pytest.mark.seed"

HEAD = """\
# What the seeds ask for

Two texts say what a well-run PACS needs: one on its lifecycle (S1), one on its maintenance (S2). Each row is a thing
that they ask for in their own words, and when Steward counts it as met. A row is met only when a test that names it
shows exactly that, end to end. `.venv/bin/pytest -m seed` runs those tests.

This page is made from [seeds.toml](seeds.toml) and the tests, by `make seeds`. Met: {met} of {total}.

| # | seed words | services | met when | shown by |
| --- | --- | --- | --- | --- |
"""


class Row(BaseModel):
    """One thing that the seeds ask for; ``met`` says when it counts as met."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    seed: Literal["S1", "S2", "S1/S2"]
    words: str
    services: list[str]
    met: str


def read_rows() -> list[Row]:
    """All rows, in the order of the file."""
    return [Row.model_validate(row) for row in tomllib.loads(ROWS.read_text())["row"]]


def read_claims() -> dict[int, list[str]]:
    """The ids of the tests that claim each row."""
    claims: dict[int, list[str]] = {}
    for module in modules("tests"):
        for row, test in _claims_of(module):
            claims.setdefault(row, []).append(test)
    return claims


def _claims_of(module: Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == MARKER:
                    yield from ((int(ast.literal_eval(row)), f"{module.path}::{node.name}") for row in mark.args)


def write_page(rows: Sequence[Row], claims: Mapping[int, Sequence[str]]) -> str:
    """The page's text."""
    met = sum(row.id in claims for row in rows)
    return HEAD.format(met=met, total=len(rows)) + "".join(_line(row, claims.get(row.id, ())) for row in rows)


def _line(row: Row, tests: Sequence[str]) -> str:
    shown = "<br>".join(f"`{test}`" for test in tests) or "not yet"
    return f"| {row.id} | {row.seed}: {row.words} | {', '.join(row.services)} | {row.met} | {shown} |\n"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(write_page(read_rows(), read_claims()))


if __name__ == "__main__":
    main()
