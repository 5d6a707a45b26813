"""What a page names is there: links, files, requests, commands, settings, events, metrics."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest

from services.registry import SERVICES
from shared.events import CONTRACTS
from tests.contract.docs.pages import Page, pages
from tests.contract.docs.surface import command_fault, is_file, make_targets, requests, source, variables

FOLDERS = ("services", "shared", "tests", "docs", "demo", "deploy", "benchmarks", "parts", "requirements")
MADE_BY_THE_READER = ("deploy/k8s/overlays/hospital", "deploy/compose/secrets", "benchmarks/latest.json")
PLACEHOLDERS = {"STEWARD_X", "STEWARD_X_FILE"}

FILE = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./…*{{}}<>-]+|[A-Z]\w+\.md|docker-compose\.yml|Makefile|Dockerfile")
REQUEST = re.compile(
    rf"(?:\$STEWARD_URL|https?://[^/\s\"]+|(?<![\w./-]))(?P<path>/(?:{'|'.join(SERVICES)})/[^\s\"'|?)…]*)(?P<rest>…|\?[^\s\"'|)]*)?"
)
METHOD = re.compile(r"\b(GET|PUT|POST|DELETE|PATCH)\b")
QUERY = re.compile(r"--data-urlencode \"(\w+)=")
COMMAND = re.compile(r"(?:^|[\s(])(?<!-n )steward (?P<words>[a-z-][^)|;#&]*)")
MODULE = re.compile(r"-m ((?:services|shared|tests|demo)\.[\w.]+|benchmarks)")
SETTING = re.compile(r"\bSTEWARD_[A-Z][A-Z_]*[A-Z]\b")
METRIC = re.compile(r"\bsteward_[a-z_]*[a-z]\b")
EVENT = re.compile(r"[a-z]+\.[a-z_]+")

every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)


@every_page
def test_links_lead_somewhere(page: Page) -> None:
    """To a file of the repository and, behind ``#``, to a heading of it."""
    broken = [target for target in page.links() if not re.match(r"[a-z]+:", target) and not _leads(page, target)]
    assert not broken


def _leads(page: Page, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = (page.folder / name).resolve() if name else None
    if path is not None and not path.exists():
        return False
    return not anchor or anchor in (page if path is None else Page(name, path.read_text())).anchors()


@every_page
def test_files_exist(page: Page) -> None:
    """Also where a word in capitals or an ellipsis stands for any name."""
    words = (word.strip("\"'`,;").split("::")[0] for code in page.code() for word in code.split())
    named = {word.rstrip(".") for word in words if FILE.fullmatch(word)}
    assert not [name for name in named if not name.startswith(MADE_BY_THE_READER) and not is_file(name)]


@every_page
def test_requests_are_answered(page: Page) -> None:
    """By their path, by their method where one is named, and with their query."""
    assert not [fault for code in page.code() for fault in _request_faults(code)]


def _request_faults(code: str) -> Iterator[str]:
    for found in REQUEST.finditer(code):
        rest = found["rest"] or ""
        path = found["path"].rstrip(".,;:`")
        method = _method_of(code)
        answered = [
            parameters
            for (verb, template), parameters in requests().items()
            if method in (None, verb) and _is_at(template, path, is_open=rest == "…")
        ]
        if not answered:
            yield f"{method or 'nothing'} answers {path}"
        asked = {name for name, _ in parse_qsl(rest.removeprefix("?"))} | set(QUERY.findall(code))
        if answered and not any(asked <= parameters for parameters in answered):
            yield f"{path} does not know all of {sorted(asked)}"


def _method_of(code: str) -> str | None:
    named = METHOD.search(code)
    if named:
        return named[1]
    if not code.lstrip().startswith("curl"):
        return None
    return "POST" if "--data " in code else "GET"


def _is_at(template: str, path: str, *, is_open: bool) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
    return bool(re.fullmatch(pattern, path)) or (is_open and template.startswith(path))


@every_page
def test_commands_are_there(page: Page) -> None:
    """With their options; and so are the targets of make, and modules that are run."""
    faults = []
    for code in page.code():
        faults += [command_fault(found["words"].split()) for found in COMMAND.finditer(code)]
        faults += [f"no module {name}" for name in MODULE.findall(code) if not _is_module(name)]
        if target := re.match(r"\s*make ([a-z]+)", code):
            faults += [] if target[1] in make_targets() else [f"no target {target[1]}"]
    assert not [fault for fault in faults if fault]


def _is_module(name: str) -> bool:
    path = name.replace(".", "/")
    return is_file(f"{path}.py") or is_file(f"{path}/__main__.py")


@every_page
def test_settings_and_metrics_are_those_of_the_code(page: Page) -> None:
    """Every variable is read somewhere; every other name of ours, a metric's or a role's, stands in the code."""
    assert set(SETTING.findall(page.text)) - PLACEHOLDERS <= variables()
    names = {re.sub("_(bucket|count|sum)$", "", name) for name in METRIC.findall(page.text)}
    assert not [name for name in names if name not in source()]


@every_page
def test_events_have_a_contract(page: Page) -> None:
    """Where a page speaks of ``asset.something``, inventory tells it."""
    nouns = {event_type.partition(".")[0] for event_type in CONTRACTS}
    named = {span for span in page.spans() if EVENT.fullmatch(span) and span.partition(".")[0] in nouns}
    assert named <= set(CONTRACTS)
