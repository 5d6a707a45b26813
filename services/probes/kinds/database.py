"""The kind ``database``: does a database let us in and answer a query, how fast, and what does it answer?"""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, ConfigDict, Field

from services.probes.kinds.asking import NETWORK_FAILURES, TLS_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, our_fault
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.engines import MOST_ROWS, Place, ask
from services.probes.kinds.network import resolve
from services.probes.kinds.secret_names import Secret
from services.probes.kinds.trust import Trust, context_for

PORTS = {"postgresql": 5432, "oracle": 1521, "sqlserver": 1433}
EXAMPLE = "postgresql://steward@db.north.example.org:5432/pacs"


def _dsn(text: str) -> str:
    parts = urlsplit(text)
    try:
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        has_port = False
    if parts.scheme not in PORTS or not parts.hostname or not parts.username or not has_port or len(parts.path) < 2:
        raise ValueError(
            f"must be postgresql://, sqlserver:// or oracle://USER@HOST:PORT/DATABASE, for example {EXAMPLE}"
        )
    if parts.password is not None:
        raise ValueError(f"must hold no password, which is a secret of its own, for example {EXAMPLE}")
    if parts.query or parts.fragment:
        raise ValueError(f"must end with the database, for example {EXAMPLE}")
    return text


class DatabaseSettings(Trust):
    """The database, the user, and the query."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"dsn": EXAMPLE, "password": "pacs-database", "query": "select count(*) from worklist"}]
        },
    )

    dsn: Annotated[str, Field(max_length=1000), AfterValidator(_dsn)] = Field(
        description="engine, user, host, port and database, for Oracle the service", examples=[EXAMPLE]
    )
    password: Secret | None = Field(None, description="secret with the user's password", examples=["north.pacs"])
    query: str = Field(
        min_length=1,
        max_length=4000,
        description="one statement that only reads; the first column of its first row is the measure value",
        examples=["select count(*) from worklist where state = 'stuck'"],
    )
    tls: Literal["none", "required"] = Field(
        "required", description="whether to speak TLS; not for sqlserver", examples=["none"]
    )
    statement_seconds: float = Field(5, gt=0, le=600, description="seconds that the query may take", examples=[5])


class Database(Asking[DatabaseSettings]):
    """A login of its own and one query, in a transaction that only reads."""

    name = "database"
    summary = "Logs in to a database and makes one query, read-only: how long each takes, and the number it answers."
    settings = DatabaseSettings
    faults_of_configuration: ClassVar = Asking.faults_of_configuration | {"login_refused"}
    interval = timedelta(minutes=5)
    has_own_measures: ClassVar = True
    phases: ClassVar = Asking.phases | {"login", "query"}
    measures: ClassVar = {
        "login_seconds": Measure("seconds", "higher", "for the connection and the login", baseline=True),
        "query_seconds": Measure("seconds", "higher", "for the query", 2, 5, baseline=True),
        "rows": Measure("rows", "higher", f"that the query gives, at most {MOST_ROWS}"),
        "value": Measure("", "higher", "first column of the first row, where it is a number"),
    }
    failures: ClassVar = (
        NETWORK_FAILURES
        | TLS_FAILURES
        | {
            "login_refused": "the database does not let this user in",
            "busy": "the database takes no connections now",
            "tls_refused": "the database does not offer TLS",
            "tls_required": "the database takes no login without TLS",
            "query": "the database refuses the query",
            "timeout_query": "the query took longer than it may",
            "driver": "probe_error: the driver for this engine is not installed; the detail names its package",
        }
    )

    async def ask(self, settings: DatabaseSettings, attempt: Attempt) -> Observation:
        """Logs in, asks, leaves."""
        parts = urlsplit(settings.dsn)
        engine, host, port = parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]
        if engine == "sqlserver" and settings.tls == "required":
            raise our_fault("settings", "For sqlserver TLS can't be required; set tls to none.")
        await resolve(attempt, host, port)
        place = Place(
            host=host,
            port=port,
            database=unquote(parts.path[1:]),
            username=unquote(parts.username or ""),
            password=attempt.secret(settings.password) if settings.password else None,
            tls=context_for(settings, attempt, host) if settings.tls == "required" else None,
            statement_seconds=settings.statement_seconds,
        )
        rows = await ask(engine, place, settings.query, attempt)
        return _observed(rows, attempt)


def _observed(rows: list[tuple[Any, ...]], attempt: Attempt) -> Observation:
    first = rows[0][0] if rows and rows[0] else None
    measures = {
        f"{phase}_seconds": attempt.phases[phase] / 1000 for phase in ("login", "query") if phase in attempt.phases
    }
    measures["rows"] = float(len(rows))
    facts = {}
    if isinstance(first, bool | int | float | Decimal) and float(first) - float(first) == 0:
        measures["value"] = float(first)
    elif first is not None:
        facts["value"] = str(first)[:200]
    return Observation("ok", None, f"The query gave {len(rows)} rows.", measures=measures, facts=facts)
