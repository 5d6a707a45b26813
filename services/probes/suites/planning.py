"""Which items of a suite are run on what: roles become nodes, addresses and what the request adds become settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from services.probes.kinds.domain import Kind
from services.probes.kinds.secret_names import check_secrets, secrets_in, secrets_in_part
from services.probes.suites.domain import MOST_TO_RUN, Item, ItemRun
from services.probes.targets.domain import Target
from shared.errors import Malformed

ADDRESS = ("host", "port", "ae_title")

Kinds = Mapping[str, type[Kind[Any]]]


SOMEWHERE = {"host": "pacs.north.example.org", "port": 104, "ae_title": "NORTH_PACS"}
"""Stands for the address of a node that is not known yet."""


def check_items(items: Sequence[Item], kinds: Kinds) -> None:
    """Raises Malformed for the first item that could run nowhere. What a request may add to an item may be missing."""
    for place, item in enumerate(items):
        if item.kind is None:
            continue
        if item.kind not in kinds:
            raise Malformed(f"items.{place}.kind", f"must be one of {', '.join(sorted(kinds))}", "dicom-echo")
        _check_settings(f"items.{place}", item, kinds[item.kind])


def check_items_secrets(items: Sequence[Item], kinds: Kinds, site_id: str, may_use_group: bool) -> None:
    """Raises Malformed for the first secret that an item of a suite of the site may not name."""
    for place, item in enumerate(items):
        if item.kind is not None:
            named = secrets_in_part(kinds[item.kind].settings, item.settings, f"items.{place}.settings")
            check_secrets(named, site_id, may_use_group)


def _check_settings(field: str, item: Item, kind: type[Kind[Any]]) -> None:
    has_address = item.role is not None or item.subject is not None
    address = {name: value for name, value in SOMEWHERE.items() if has_address and name in kind.settings.model_fields}
    try:
        kind.settings.model_validate({**address, **item.settings})
    except ValidationError as exc:
        for fault in exc.errors():
            if fault["type"] != "missing":
                name = ".".join([field, "settings", *map(str, fault["loc"])])
                raise Malformed(name, fault["msg"], "see GET /probes/v1/kinds") from exc


@dataclass(frozen=True)
class Referred:
    """What a check asks, for an item that refers to it. With a ``vantage`` only the agent of that name makes it."""

    kind: str
    settings: Mapping[str, Any]
    subject: str
    name: str
    vantage: str | None = None


@dataclass(frozen=True)
class System:
    """The system that a suite runs on, with its nodes and those that single items name.

    With a ``vantage`` its nodes are left to the agent of that name.
    """

    id: str
    name: str
    site_id: str
    nodes: Sequence[Target]
    named: Mapping[str, Target]
    checks: Mapping[str, Referred]
    vantage: str | None = None


@dataclass(frozen=True)
class _Place:
    subject: str | None
    name: str
    settings: Mapping[str, Any]
    vantage: str | None = None


def plan_items(
    items: Sequence[Item], system: System, kinds: Kinds, added: Mapping[str, Mapping[str, Any]]
) -> list[ItemRun]:
    """What is to be run, in the suite's order. What can't be is there too, done, with the reason.

    A suite that becomes more than 200 items is cut there, which its last item tells as an error.
    """
    planned = [run for item in items for run in _plan(item, system, kinds, added.get(item.name, {}))]
    if len(planned) > MOST_TO_RUN:
        why = f"{len(planned) - MOST_TO_RUN + 1} items more are not run: a run has at most {MOST_TO_RUN}"
        last = planned[MOST_TO_RUN - 1].model_copy(update={"state": "done", "verdict": "error", "detail": why})
        planned = [*planned[: MOST_TO_RUN - 1], last]
    return [run.model_copy(update={"position": position}) for position, run in enumerate(planned)]


def left_out(planned: Sequence[ItemRun], why: str) -> list[ItemRun]:
    """The items, none of which is run."""
    return [_refused(run, why) if run.state == "planned" else run for run in planned]


def _plan(item: Item, system: System, kinds: Kinds, added: Mapping[str, Any]) -> Iterator[ItemRun]:
    if item.check_id is not None:
        check = system.checks.get(item.check_id)
        if check is None:
            yield _not_run(item, "", "the check it refers to is there no more")
        else:
            checked = _Place(check.subject, check.name, check.settings, check.vantage)
            yield _settled(item, checked, check.kind, system, kinds, added)
        return
    kind = item.kind or ""
    if kind not in kinds:
        yield _not_run(item, kind, f"this version has no kind {kind}")
        return
    places = list(_places(item, system, kinds[kind]))
    if not places:
        yield _not_run(item, kind, f"the system has no {_missing(item)}")
    for place in places:
        yield place if isinstance(place, ItemRun) else _settled(item, place, kind, system, kinds, added)


def _places(item: Item, system: System, kind: type[Kind[Any]]) -> Iterator[_Place | ItemRun]:
    if item.role is None and item.subject is None:
        yield _Place(None, system.name, {}, system.vantage)
    for node in _nodes(item, system):
        if node.reason is not None or node.dicom is None:
            yield _not_run(item, item.kind or "", f"{node.name} is not asked: {node.reason}", node)
            continue
        address = {name: getattr(node.dicom, name) for name in ADDRESS if name in kind.settings.model_fields}
        if item.caller is None:
            yield _Place(node.id, node.name, address, system.vantage)
        else:
            for other in _of_role(system, item.caller):
                if other.id != node.id and other.dicom is not None:
                    name = f"{other.name} → {node.name}"
                    calling = {"calling_ae_title": other.dicom.ae_title}
                    yield _Place(node.id, name, address | calling, system.vantage)


def _nodes(item: Item, system: System) -> Sequence[Target]:
    if item.subject is not None:
        return [system.named[item.subject]] if item.subject in system.named else []
    return _of_role(system, item.role) if item.role else []


def _of_role(system: System, role: str) -> list[Target]:
    return [node for node in system.nodes if node.dicom is not None and node.dicom.role == role]


def _missing(item: Item) -> str:
    if item.subject is not None:
        return f"node {item.subject}"
    calling = f" that a {item.caller} could call" if item.caller else ""
    return f"node of the role {item.role}{calling}"


def _settled(item: Item, place: _Place, kind: str, system: System, kinds: Kinds, added: Mapping[str, Any]) -> ItemRun:
    settings = {**place.settings, **item.settings, **added}
    run = _run(item, place, kind, settings)
    if kind not in kinds:
        return _refused(run, f"this version has no kind {kind}")
    try:
        checked = kinds[kind].settings.model_validate(settings)
    except ValidationError as exc:
        return _refused(run, f"its settings don't do: {first_fault(exc)}")
    # A secret of the group goes where a group-admin has it sent: whoever asks for the run, or borrows a check for an
    # item of his own, must not send it elsewhere.
    is_as_made = not added and (item.check_id is None or not item.settings)
    try:
        check_secrets(secrets_in(checked), system.site_id, may_use_group=is_as_made)
    except Malformed as exc:
        return _refused(run, exc.detail)
    return run.model_copy(
        update={"settings": checked.model_dump(mode="json"), "is_heavy": kinds[kind].is_heavy},
    )


def first_fault(exc: ValidationError) -> str:
    """The first thing that is wrong with settings, as ``settings.port: Field required``."""
    fault = exc.errors()[0]
    return f"{'.'.join(['settings', *map(str, fault['loc'])])}: {fault['msg']}"


def _run(item: Item, place: _Place, kind: str, settings: Mapping[str, Any]) -> ItemRun:
    return ItemRun(
        position=0,
        name=item.name,
        function=item.function,
        interface=item.interface,
        kind=kind,
        subject=place.subject,
        subject_name=place.name,
        required=item.required,
        is_heavy=False,
        settings=dict(settings),
        expectation=item.expectation,
        timeout_seconds=item.timeout_seconds,
        vantage=place.vantage,
    )


def _not_run(item: Item, kind: str, why: str, node: Target | None = None) -> ItemRun:
    place = _Place(node.id if node else item.subject, node.name if node else "", {})
    return _refused(_run(item, place, kind, item.settings), why)


def _refused(run: ItemRun, why: str) -> ItemRun:
    return run.model_copy(update={"state": "done", "verdict": "not_run", "detail": f"Not run: {why}."})
