"""prometheus against prometheus_client's own exporter, and a server that answers as Prometheus documents it."""

import json
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge, start_http_server
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.integration.probes.kinds.asked import Asked
from tests.integration.probes.kinds.serving import serving


@pytest.fixture
def exporter() -> Iterator[str]:
    """An exporter with a disk for each of two places, and a date of virus definitions."""
    registry = CollectorRegistry()
    free = Gauge("disk_free_ratio", "What is left.", ["mount"], registry=registry)
    free.labels("/").set(0.5)
    free.labels("/images").set(0.08)
    Gauge("disk_free_ratio_limit", "Not what is asked for.", registry=registry).set(9)
    Gauge("antivirus_definitions_timestamp_seconds", "When.", registry=registry).set(time.time() - 3600)
    Gauge("nothing", "No number yet.", registry=registry).set(float("nan"))
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, dict[str, object]]]:
    """A server's address, and what it will answer to a query."""
    answer: dict[str, object] = {"body": {}, "status": 200, "asked": ""}

    async def query(request: Request) -> Response:
        answer["asked"] = request.query_params["query"]
        body = answer["body"]
        return Response(body if isinstance(body, str) else json.dumps(body), status_code=int(str(answer["status"])))

    async with serving([Route("/api/v1/query", query)]) as url:
        yield url, answer


def vector(*values: str) -> dict[str, object]:
    """An instant vector as Prometheus answers it."""
    rows = [{"metric": {"instance": f"pacs{number}"}, "value": [1, value]} for number, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}


@pytest.mark.parametrize(("of_several", "value"), [("max", 0.5), ("min", 0.08), ("sum", 0.58)])
async def test_metric_of_an_exporter(of_several: str, value: float, exporter: str, ask: Asked) -> None:
    """The exact name; of several series what was asked for, and all of them as a fact."""
    seen = await ask("prometheus", {"url": exporter, "metric": "disk_free_ratio", "of_several": of_several})
    assert (seen.outcome, seen.failure) == ("ok", None), seen
    assert seen.measures == {"value": value, "series": 2}
    assert "{mount=/images} 0.08" in seen.facts["found"]


async def test_labels_choose_a_series(exporter: str, ask: Asked) -> None:
    """One disk of several."""
    settings = {"url": exporter, "metric": "disk_free_ratio", "labels": {"mount": "/"}}
    assert (await ask("prometheus", settings)).measures["value"] == 0.5


async def test_time_has_an_age(exporter: str, ask: Asked) -> None:
    """Virus definitions of an hour ago."""
    seen = await ask(
        "prometheus", {"url": exporter, "metric": "antivirus_definitions_timestamp_seconds", "is_time": True}
    )
    assert seen.measures["age_seconds"] == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("metric", ["no_such_metric", "nothing", "disk_free"])
async def test_metric_that_is_not_there_is_told(metric: str, exporter: str, ask: Asked) -> None:
    """And one that has no number."""
    seen = await ask("prometheus", {"url": exporter, "metric": metric})
    assert (seen.outcome, seen.failure) == ("failed", "no_series")


async def test_expression_is_evaluated_by_the_server(server: tuple[str, dict[str, object]], ask: Asked) -> None:
    """Letter by letter; a vector and a scalar."""
    url, answer = server
    answer["body"] = vector("1", "0", "NaN")
    seen = await ask("prometheus", {"url": url, "expression": 'up{job="pacs"} + 0', "of_several": "min"})
    assert answer["asked"] == 'up{job="pacs"} + 0'
    assert (seen.outcome, seen.measures) == ("ok", {"value": 0, "series": 2})
    answer["body"] = {"status": "success", "data": {"resultType": "scalar", "result": [1, "42"]}}
    assert (await ask("prometheus", {"url": url, "expression": "42"})).measures["value"] == 42


async def test_expression_that_finds_what_is_wrong(server: tuple[str, dict[str, object]], ask: Asked) -> None:
    """An alerting expression: any series fails, none is well."""
    url, answer = server
    settings = {"url": url, "expression": "up == 0", "empty_is_ok": True}
    answer["body"] = vector()
    assert (await ask("prometheus", settings)).outcome == "ok"
    assert (await ask("prometheus", settings | {"empty_is_ok": False})).failure == "no_series"
    answer["body"] = vector("0")
    seen = await ask("prometheus", settings)
    assert (seen.outcome, seen.failure) == ("failed", "found")
    assert "pacs0" in seen.facts["found"]


async def test_expression_that_is_refused_is_told(server: tuple[str, dict[str, object]], ask: Asked) -> None:
    """With the server's own words."""
    url, answer = server
    answer |= {"status": 400, "body": {"status": "error", "error": "parse error: unexpected end"}}
    seen = await ask("prometheus", {"url": url, "expression": "sum("})
    assert (seen.outcome, seen.failure) == ("failed", "expression")
    assert "unexpected end" in seen.detail


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "null", "{}", '{"data": []}', '{"data": {"resultType": "vector"}}', "[" * 5000),
        '{"data": {"resultType": "vector", "result": [1]}}',
        '{"data": {"resultType": "vector", "result": [{"value": [1, "x"]}]}}',
        '{"data": {"resultType": "vector", "result": [{"metric": [], "value": [1, "1"]}]}}',
        '{"data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[1, "1"]]}]}}',
    ],
)
async def test_server_that_is_no_prometheus_is_told(
    body: str, server: tuple[str, dict[str, object]], ask: Asked
) -> None:
    """Whatever JSON it answers."""
    url, answer = server
    answer["body"] = body
    seen = await ask("prometheus", {"url": url, "expression": "up"})
    assert (seen.outcome, seen.failure) == ("failed", "protocol")


@pytest.mark.parametrize("page", ["up{", 'up{a="b" 1', "up x", 'up{a="b\\'])
async def test_page_that_is_no_metrics_is_told(page: str, ask: Asked) -> None:
    """A line that can't be read."""

    async def broken(request: Request) -> Response:
        return Response(page)

    async with serving([Route("/", broken)]) as url:
        seen = await ask("prometheus", {"url": url, "metric": "up"})
    assert seen.outcome == "failed"
    assert seen.failure in ("protocol", "no_series")
