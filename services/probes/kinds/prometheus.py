"""The kind ``prometheus``: any expression on a server, or any metric of an exporter: disk, load, antivirus age."""

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Literal, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import ConfigDict, Field, model_validator

from services.probes.dicom.turns import Turn
from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, failed
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.exchange import HTTP_FAILURES, Login, Url, client, json_of

LARGEST_ANSWER = 2 * 1024 * 1024
MOST_TOLD = 10
MOST_SERIES = 10_000
READ_AT_ONCE = 256
LONGEST_LINE = 16_384
Series = tuple[Mapping[str, str], float]

_OF_SEVERAL: Mapping[str, Callable[[Iterable[float]], float]] = {"max": max, "min": min, "sum": math.fsum}


class PrometheusSettings(Login):
    """A server and an expression; or an exporter and one of its metrics."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"url": "http://prometheus.example.org:9090", "expression": 'min(up{job="pacs"})'},
                {"url": "http://pacs.example.org:9100/metrics", "metric": "node_load5"},
            ]
        },
    )

    url: Url = Field(
        description="address of a server, for an expression; or of an exporter's page, for a metric",
        examples=["http://prometheus.north.example.org:9090"],
    )
    expression: str | None = Field(
        None,
        min_length=1,
        max_length=4000,
        description="PromQL expression for the server",
        examples=["1 - node_filesystem_avail_bytes / node_filesystem_size_bytes"],
    )
    metric: str | None = Field(
        None,
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$",
        description="name of a sample on the exporter's page",
        examples=["antivirus_definitions_timestamp_seconds"],
    )
    labels: dict[str, str] = Field(
        {}, max_length=20, description="labels that the metric's series must have", examples=[{"mountpoint": "/"}]
    )
    of_several: Literal["max", "min", "sum"] = Field(
        "max", description="what stands for several series", examples=["min"]
    )
    is_time: bool = Field(
        False, description="whether the value is a Unix time: then its age is told too", examples=[True]
    )
    empty_is_ok: bool = Field(
        False,
        description="whether no series is well, as for an expression that finds what is wrong: then any series fails",
        examples=[True],
    )

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if (self.expression is None) == (self.metric is None):
            raise ValueError("must name either an expression or a metric, for example metric node_load5")
        if self.expression is not None and self.labels:
            raise ValueError("labels go with a metric; an expression names its own")
        return self


class Prometheus(Asking[PrometheusSettings]):
    """One number that another system has measured already."""

    name = "prometheus"
    summary = "Asks a Prometheus server for an expression, or reads a metric from an exporter's page."
    settings = PrometheusSettings
    faults_of_configuration: ClassVar = Asking.faults_of_configuration | {"expression"}
    interval = timedelta(seconds=60)
    has_own_measures: ClassVar = True
    measures: ClassVar = {
        "value": Measure("", "higher", "of the expression or the metric"),
        "age_seconds": Measure("seconds", "higher", "since the value, where it is a time", 86_400, 259_200),
        "series": Measure("series", "higher", "that were found"),
    }
    failures: ClassVar = (
        NETWORK_FAILURES
        | HTTP_FAILURES
        | {
            "no_series": "there is no such series, or none has a number",
            "expression": "the server refuses the expression",
            "found": "the expression finds what is wrong",
        }
    )

    async def ask(self, settings: PrometheusSettings, attempt: Attempt) -> Observation:
        """Reads, and tells the number."""
        async with client(attempt, settings, LARGEST_ANSWER, settings.login_headers(attempt)) as speaking:
            if settings.expression is None:
                found = await _sampled(await speaking.get(settings.url), settings.metric or "", settings.labels)
            else:
                address = f"{settings.url.rstrip('/')}/api/v1/query"
                found = _evaluated(await speaking.get(address, params={"query": settings.expression}))
        series = [(labels, value) for labels, value in found if math.isfinite(value)]
        if settings.empty_is_ok:
            return _presence(series)
        if not series:
            raise failed("no_series", "There is no such series, or none that has a number.")
        return _observed(settings, series, time.time())


def _observed(settings: PrometheusSettings, series: list[Series], now: float) -> Observation:
    value = _OF_SEVERAL[settings.of_several](number for _, number in series)
    measures = {"value": value, "series": float(len(series))}
    if settings.is_time:
        measures["age_seconds"] = round(now - value, 3)
    of_several = f", the {settings.of_several} of {len(series)} series" if series[1:] else ""
    return Observation("ok", None, f"The value is {value:g}{of_several}.", measures=measures, facts=_facts(series))


def _presence(series: list[Series]) -> Observation:
    measures = {"series": float(len(series))}
    if not series:
        return Observation("ok", None, "The expression finds nothing.", measures=measures)
    detail = f"The expression finds {len(series)} series."
    return Observation("failed", "found", detail, measures=measures, facts=_facts(series))


def _facts(series: list[Series]) -> dict[str, str]:
    told = [f"{_labels(labels)} {value:g}" for labels, value in series[:MOST_TOLD]]
    return {"found": "; ".join(told)[:1000]}


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in labels.items()) + "}"


def _evaluated(response: httpx.Response) -> list[Series]:
    """The vector or the scalar of an instant query."""
    if response.status_code in (400, 422):
        raise failed("expression", f"The server refuses the expression: {_error(response)}.")
    _expect_ok(response)
    try:
        data = json_of(response)["data"]
        rows = [{"value": data["result"]}] if data["resultType"] in ("scalar", "string") else data["result"]
        return [(_texts(row.get("metric", {})), float(row["value"][1])) for row in rows]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as exc:
        raise failed("protocol", "The server does not answer as Prometheus does.") from exc


async def _sampled(response: httpx.Response, name: str, labels: Mapping[str, str]) -> list[Series]:
    """The samples of that name and those labels. Only their lines are parsed: a page can have many thousands."""
    _expect_ok(response)
    found: list[Series] = []
    turn = Turn()
    for lines in _lines(response.content, (name + "{", name + " ", name + "\t")):
        found += [(sample.labels, float(sample.value)) for sample in _samples(lines) if _has(sample.labels, labels)]
        if len(found) > MOST_SERIES:
            raise failed("too_large", f"The page has more than {MOST_SERIES} series of {name}.")
        if turn.is_over():
            await asyncio.sleep(0)
            turn.begin()
    return found


def _lines(page: bytes, beginnings: tuple[str, ...]) -> Iterator[list[str]]:
    """The page's lines that begin so, a few at a time: a large page must hold up nobody else's probes."""
    start = 0
    while start < len(page):
        end = page.find(b"\n", start + READ_AT_ONCE, start + LONGEST_LINE)
        if end < 0 and len(page) - start > LONGEST_LINE:
            raise failed("protocol", f"The page has a line of more than {LONGEST_LINE} bytes.")
        text = page[start : end if end >= 0 else len(page)].decode(errors="replace")
        yield [line for line in text.split("\n") if line.startswith(beginnings)]
        start = end + 1 if end >= 0 else len(page)


def _samples(lines: Sequence[str]) -> list[Sample]:
    try:
        families = text_string_to_metric_families("\n".join(lines) + "\n")
        return [sample for family in families for sample in family.samples]
    except (ValueError, KeyError, IndexError) as exc:
        raise failed("protocol", "The page can't be read as metrics of Prometheus.") from exc


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return wanted.items() <= labels.items()


def _expect_ok(response: httpx.Response) -> None:
    if response.status_code != 200:
        raise failed("http_status", f"The server answered {response.status_code} {response.reason_phrase}.")


def _error(response: httpx.Response) -> str:
    try:
        return str(json_of(response)["error"])[:300]
    except (ValueError, KeyError, TypeError, RecursionError):
        return str(response.status_code)


def _texts(labels: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in labels.items()}
