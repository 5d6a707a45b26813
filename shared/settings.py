"""Settings are environment variables ``STEWARD_…``. A wrong one stops the process with its name, the rule, an example.

Secrets may also come from files: ``STEWARD_X_FILE`` names a file that holds the value of ``STEWARD_X``.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.bus import Bus
from shared.bus.kafka import KafkaAccess, KafkaBus
from shared.bus.postgres import PostgresBus
from shared.errors import WrongSetting
from shared.issuer import AUDIENCE, ISSUER

PREFIX = "STEWARD_"


def _dsn(text: str) -> str:
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("must be a PostgreSQL URL")
    return text


def _brokers(text: str) -> str:
    for broker in text.split(","):
        host, colon, port = broker.strip().rpartition(":")
        if not (colon and host and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("must be host:port, several of them separated by commas")
    return text


Dsn = Annotated[str, AfterValidator(_dsn)]
DSN_EXAMPLE = "postgresql://steward_inventory:secret@db:5432/steward"


class BusSettings(BaseSettings):
    """Which bus carries the events."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    bus: Literal["kafka", "postgres"] = Field("kafka", description="what carries the events", examples=["kafka"])
    kafka: Annotated[str, AfterValidator(_brokers)] = Field(
        "localhost:9092", description="the Kafka brokers", examples=["kafka-0:9092,kafka-1:9092"]
    )
    kafka_ca: str | None = Field(None, description="CA file of the brokers", examples=["/etc/steward/kafka-ca.pem"])
    kafka_username: str | None = Field(None, description="SASL/SCRAM user", examples=["steward"])
    kafka_password: str | None = Field(None, description="SASL/SCRAM password", examples=["secret"])
    kafka_replication: int = Field(1, ge=1, le=9, description="replicas of each new topic", examples=[3])
    bus_database: Dsn | None = Field(
        None,
        description="the bus's database, when the bus is postgres",
        examples=["postgresql://steward_bus:secret@db:5432/steward"],
    )

    def open_bus(self) -> Bus:
        """The bus that is chosen. Raises WrongSetting when what it needs is missing."""
        if self.bus == "kafka":
            return KafkaBus(
                KafkaAccess(self.kafka, self.kafka_ca, self.kafka_username, self.kafka_password, self.kafka_replication)
            )
        if self.bus_database is None:
            raise WrongSetting("STEWARD_BUS_DATABASE: is required when STEWARD_BUS is postgres")
        return PostgresBus(self.bus_database)


class LogSettings(BaseSettings):
    """What a program says."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe log lines shown", examples=["info"]
    )


class ListenSettings(LogSettings):
    """Where a program listens."""

    http_host: str = Field("127.0.0.1", description="address to listen on", examples=["0.0.0.0"])  # noqa: S104 -- an example
    http_port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0 takes a free one", examples=[8080])


class HttpSettings(ListenSettings):
    """How the service is reached, and whom it believes."""

    oidc_issuer: str = Field(ISSUER, description="`iss` of accepted tokens", examples=["https://login.example.org"])
    oidc_audience: str = Field(AUDIENCE, description="`aud` of accepted tokens", examples=["steward"])
    oidc_jwks: str = Field(
        description="the issuer's keys: a URL or a file", examples=["https://login.example.org/jwks.json"]
    )
    otlp_endpoint: str | None = Field(None, description="where traces go (OTLP/HTTP)", examples=["http://otel:4318"])


class ServiceSettings(BusSettings, HttpSettings):
    """What every service that owns data needs. A service's own settings extend this."""

    database: Dsn = Field(description="the service's database and login role", examples=[DSN_EXAMPLE])


S = TypeVar("S", bound=BaseSettings)


def load(kind: type[S], environment: Mapping[str, str] | None = None) -> S:
    """The settings from the environment. Raises WrongSetting naming every wrong one with its rule and an example."""
    environ = dict(os.environ if environment is None else environment)
    values = {
        name: environ[key] for name in kind.model_fields if (key := variable(name)) in environ and environ[key] != ""
    }
    for name in kind.model_fields:
        if path := environ.get(variable(name) + "_FILE"):
            try:
                values[name] = Path(path).read_text().strip()
            except (OSError, UnicodeDecodeError) as exc:
                raise WrongSetting(f"{variable(name)}_FILE: {path} can't be read: {exc}") from exc
    try:
        return kind.model_validate(values)
    except ValidationError as exc:
        raise WrongSetting("\n".join(_faults(kind, exc))) from exc


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def _faults(kind: type[BaseSettings], exc: ValidationError) -> Iterator[str]:
    for fault in exc.errors(include_url=False, include_input=False):
        name = str(fault["loc"][0])
        examples = kind.model_fields[name].examples or ["(none)"]
        yield f"{variable(name)}: {fault['msg']}, for example {examples[0]}"
