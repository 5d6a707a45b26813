"""Rules of checks: settings that their kind can read, times that leave room, and the probe that each becomes."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from services.probes.alerts.limits import Limits
from services.probes.kinds.domain import Kind
from services.probes.runs.domain import Probe, probe_id_of
from services.probes.targets.domain import Subject
from shared.bulk import RowAnswer
from shared.errors import Malformed
from shared.events.alerts import Severity
from shared.resource import Body, Id, Line, Resource

LARGEST_SHARE = 0.8
USUAL_TIMEOUT = 10.0
USUAL_HEAVY_TIMEOUT = 120.0
USUAL_RETRY = 20.0

Interval = Annotated[float, Field(ge=1, le=604_800, examples=[60])]
"""Seconds from one run to the next: a second to a week."""

RetryInterval = Annotated[float, Field(ge=1, le=604_800, examples=[20])]
Timeout = Annotated[float, Field(ge=0.1, le=86_400, examples=[10])]
Vantage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$")]
"""What an agent is called."""

Measured = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
"""A measure of a kind, or a phase."""

MOST_BYTES = 16_384


def _storable(settings: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(settings, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (ValueError, RecursionError) as exc:
        raise ValueError("must be JSON of real numbers and whole characters") from exc
    if "\\u0000" in text or size > MOST_BYTES:
        raise ValueError(f"must be at most {MOST_BYTES} bytes of JSON without NUL")
    return settings


Settings = Annotated[dict[str, Any], AfterValidator(_storable)]

CHANGE_EXAMPLE: dict[str, Any] = {
    "name": "North archive answers",
    "settings": {"host": "pacs.north.example.org", "port": 104, "ae_title": "NORTH_PACS"},
    "interval_seconds": 60,
    "timeout_seconds": 10,
    "limits": {"association": {"warning": 500, "critical": 2000}},
}
EXAMPLE: dict[str, Any] = {
    "subject": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b10",
    "kind": "dicom-echo",
    **CHANGE_EXAMPLE,
}


class CheckChange(Body):
    """All that can change about a check. What is left out is as its kind has it."""

    model_config = ConfigDict(json_schema_extra={"examples": [CHANGE_EXAMPLE]})

    name: Line = Field(description="what its alerts call it; no other check of the asset is called so")
    settings: Settings = Field(description="what its kind needs to know, see GET /probes/v1/kinds")
    interval_seconds: Interval | None = None
    retry_interval_seconds: RetryInterval | None = None
    timeout_seconds: Timeout | None = None
    vantage: Vantage | None = Field(None, description="the agent that makes it; null for any replica of this service")
    depends_on: Annotated[tuple[Id, ...], Field(max_length=20)] = Field(
        (), description="assets one hop up, such as the site's gateway, without which the answer means nothing"
    )
    limits: Annotated[dict[Measured, Limits], Field(max_length=50)] = Field(
        default_factory=dict, description="by measure of its kind, or by phase in ms"
    )
    severity: Severity | None = Field(None, description="how bad its failure is; null leaves that to the failure")
    reachability: bool | None = Field(
        None,
        description="whether its failure means that the asset can't be reached, so that nothing is raised for what"
        " depends on it; null leaves that to the kind: tcp and dicom-echo",
    )
    enabled: bool = True


class CheckDraft(CheckChange):
    """A check to be made: what is asked of which asset."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    subject: Id = Field(description="the asset that its results and alerts are about")
    kind: Annotated[str, Field(max_length=60)]


class Check(Resource):
    """What is asked of which asset, with all that was left out filled in."""

    id: str
    subject: str
    site_id: str = Field(examples=["north"])
    kind: str = Field(examples=["dicom-echo"])
    name: str
    settings: dict[str, Any]
    interval_seconds: float
    retry_interval_seconds: float
    timeout_seconds: float
    vantage: str | None
    depends_on: tuple[str, ...]
    limits: dict[str, Limits]
    severity: Severity | None
    reachability: bool | None
    enabled: bool

    @property
    def probe_id(self) -> str:
        """The id of the probe that it becomes, as results name it."""
        return probe_id_of(self.kind, self.id)


class RowResult(RowAnswer):
    """What became of one row, by its place: a check, or a problem."""

    check: Check | None = None


class BulkResult(BaseModel):
    """What became of all rows."""

    created: int
    refused: int
    rows: list[RowResult]


def find_kind(name: str, kinds: Sequence[type[Kind[Any]]]) -> type[Kind[Any]]:
    """The kind of that name. Raises Malformed."""
    for kind in kinds:
        if kind.name == name:
            return kind
    raise Malformed("kind", f"must be one of {', '.join(sorted(kind.name for kind in kinds))}", kinds[0].name)


def draft_check(check_id: str, draft: CheckDraft, site_id: str, kinds: Sequence[type[Kind[Any]]]) -> Check:
    """The check that a draft asks for. Raises Malformed with the field, the rule and an example."""
    kind = find_kind(draft.kind, kinds)
    if draft.name in {kind.name for kind in kinds}:
        raise Malformed("name", "must not be the name of a kind, which probes made by themselves have", "Web login")
    place = {"id": check_id, "subject": draft.subject, "site_id": site_id, "kind": kind.name, "version": 1}
    return Check.model_validate(place | filled_in(draft, kind))


def change_check(check: Check, change: CheckChange, kinds: Sequence[type[Kind[Any]]]) -> Check:
    """The check as it is after a change. Raises Malformed."""
    draft = CheckDraft(subject=check.subject, kind=check.kind, **change.model_dump(exclude={"subject", "kind"}))
    return draft_check(check.id, draft, check.site_id, kinds).model_copy(update={"version": check.version + 1})


def filled_in(asked: CheckChange, kind: type[Kind[Any]]) -> dict[str, Any]:
    """What was asked, valid for the kind, with the kind's own where nothing was said. Raises Malformed."""
    interval = asked.interval_seconds or kind.interval.total_seconds()
    usual_timeout = min(USUAL_HEAVY_TIMEOUT if kind.is_heavy else USUAL_TIMEOUT, LARGEST_SHARE * interval)
    timeout = asked.timeout_seconds or usual_timeout
    if timeout > LARGEST_SHARE * interval:
        most = f"{LARGEST_SHARE * interval:g}"
        raise Malformed("timeout_seconds", f"must be at most {LARGEST_SHARE} of interval_seconds: {most}", most)
    retry = asked.retry_interval_seconds or min(USUAL_RETRY, interval)
    if retry > interval:
        raise Malformed("retry_interval_seconds", "must be at most interval_seconds", f"{interval:g}")
    check_limits(asked.limits, kind)
    return asked.model_dump(exclude={"subject", "kind"}) | {
        "settings": valid_settings(kind, asked.settings),
        "interval_seconds": interval,
        "retry_interval_seconds": retry,
        "timeout_seconds": timeout,
    }


def valid_settings(kind: type[Kind[Any]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the kind reads them. Raises Malformed that names the field as ``settings.port``."""
    known = {name for field, info in kind.settings.model_fields.items() for name in (field, info.alias) if name}
    for name in settings:
        if name not in known:
            raise Malformed(f"settings.{name}", f"is no setting of {kind.name}", f"one of {', '.join(sorted(known))}")
    try:
        valid: BaseModel = kind.settings.model_validate(settings)
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_input=False)[0]
        field = ".".join(["settings", *map(str, fault["loc"])])
        raise Malformed(field, fault["msg"], _example(kind.settings, fault)) from exc
    return valid.model_dump(mode="json", by_alias=True)


def _example(settings: type[BaseModel], fault: Any) -> str:
    context = fault.get("ctx") or {}
    info = settings.model_fields.get(str(fault["loc"][0])) if fault["loc"] else None
    examples = [context.get("example"), *(info.examples or () if info else ()), context.get("expected")]
    bounds = [f"{bound} {context[bound]}" for bound in ("ge", "gt", "le", "lt", "pattern") if bound in context]
    found = next((example for example in [*examples, *bounds] if example is not None), None)
    return str(found if found is not None else f"a valid {str(fault['type']).split('_')[0]}")


def check_limits(limits: Mapping[str, Limits], kind: type[Kind[Any]]) -> None:
    """Raises Malformed for what the kind does not tell, and where critical is the better of two limits.

    What is no measure is a phase, or a number that the settings name: higher is worse.
    """
    known = sorted({*kind.measures, *kind.phases})
    for name, limit in limits.items():
        if name not in known and not kind.has_own_measures:
            example = next(iter(get_close_matches(name, known, 1)), known[0])
            raise Malformed(
                f"limits.{name}", f"must be a measure or a phase of {kind.name}: {', '.join(known)}", example
            )
        measure = kind.measures.get(name)
        worse = measure.worse if measure else "higher"
        if not limit.are_ordered(worse):
            raise Malformed(f"limits.{name}.critical", f"must not be better than warning: {worse} is worse", "90")


def check_upstream(subject: str, depends_on: Collection[str], known: Collection[str]) -> None:
    """Raises Malformed for what is no other asset of the site."""
    for asset_id in depends_on:
        if asset_id == subject or asset_id not in known:
            raise Malformed("depends_on", f"{asset_id} must be another asset of the same site", "the site's gateway")


def probe_of(check: Check, subject: Subject, is_heavy: bool) -> Probe:
    """What is to be run of a check."""
    return Probe(
        id=check.probe_id,
        kind=check.kind,
        subject=subject.id,
        site_id=subject.site_id,
        system_id=subject.system_id,
        name=subject.name,
        settings=check.settings,
        interval=timedelta(seconds=check.interval_seconds),
        retry_interval=timedelta(seconds=check.retry_interval_seconds),
        timeout=timedelta(seconds=check.timeout_seconds),
        vantage=check.vantage,
        depends_on=check.depends_on,
        limits=check.limits,
        severity=check.severity,
        reachability=check.reachability,
        is_heavy=is_heavy,
        check_name=check.name,
    )
