"""Structured logs, metrics and traces. A log line has a stable ``action``; a trace follows an event over services."""

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

PUBLISHED = Counter("steward_events_published_total", "Events published by the relay", ["service", "type"])
CONSUMED = Counter("steward_events_consumed_total", "Events applied by a consumer", ["service", "type"])
REPEATED = Counter("steward_events_repeated_total", "Events dropped because they were applied before", ["service"])
LOST = Counter("steward_events_lost_total", "Offsets that the bus dropped before they were read", ["service", "topic"])
QUARANTINED = Counter("steward_events_quarantined_total", "Messages put into quarantine", ["service", "topic"])
OUTBOX_PENDING = Gauge("steward_outbox_pending", "Events in the outbox that are not yet published", ["service"])
QUARANTINE_HELD = Gauge("steward_quarantine_held", "Messages in quarantine that nobody has decided on", ["service"])
CONSUME_DELAY = Histogram(
    "steward_event_delay_seconds",
    "From an event's time to its effect",
    ["service"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600),
)
REQUESTS = Histogram("steward_http_seconds", "HTTP requests", ["service", "method", "route", "status"])

_TRACER = trace.get_tracer("steward")
_PROPAGATOR = TraceContextTextMapPropagator()

log: structlog.stdlib.BoundLogger = structlog.get_logger("steward")


def configure_logs(level: str) -> None:
    """One JSON object a line on standard error: our own lines, and the libraries' warnings as ``library.said``."""
    shared_steps: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace,
        structlog.processors.format_exc_info,
    ]
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[*shared_steps, structlog.processors.EventRenamer("action"), render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Seldom())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_steps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _as_library, render],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class Seldom(logging.Filter):
    """Lets a library's line through once in 30 seconds, since a client of a broker that is away says it each time."""

    SECONDS = 30.0

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line was not let through lately."""
        what = (record.name, str(record.msg))
        last = self._said.get(what)
        if last is not None and record.created - last < self.SECONDS:
            return False
        self._said[what] = record.created
        return True


def _as_library(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    event["action"], event["text"] = "library.said", event.pop("event", "")
    return event


def configure_traces(service: str, endpoint: str | None) -> None:
    """Spans go to ``endpoint`` (OTLP over HTTP). Without one, trace ids still travel with every event."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider, sampling
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    sampler = sampling.ParentBased(sampling.ALWAYS_ON) if endpoint else sampling.ALWAYS_OFF
    provider = TracerProvider(resource=Resource({"service.name": f"steward-{service}"}), sampler=sampler)
    if endpoint is not None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def traceparent() -> str | None:
    """The current span as a W3C ``traceparent``, or None outside any span."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def is_traced(traceparent: str | None) -> bool:
    """Whether spans of this trace are kept (W3C Trace Context §3.2.2.5, the flag ``sampled``)."""
    return traceparent is not None and traceparent.endswith("1")


@contextmanager
def span(name: str, parent: str | None = None, attributes: Mapping[str, str] | None = None) -> Iterator[None]:
    """Runs the block in a span; ``parent`` is the ``traceparent`` of what led here."""
    context = _PROPAGATOR.extract({"traceparent": parent}) if parent else None
    with _TRACER.start_as_current_span(name, context=context, attributes=attributes):
        yield


def _add_trace(_: object, __: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
    return event
