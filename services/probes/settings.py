"""The settings of probes."""

import socket
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.probes.alerts.domain import Policy
from services.probes.runs.domain import Cadence
from services.probes.targets.domain import Defaults, parse_vantages
from shared.resource import Id
from shared.settings import PREFIX, ServiceSettings

LARGEST_SHARE = 0.8
USUAL_TIMEOUT = 10.0
DAYS_OF_YEAR = 365.25

AeTitle = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[\x20-\x5b\x5d-\x7e]{1,16}$")]
"""An AE title: 1 to 16 characters of ASCII without a backslash; spaces at its ends mean nothing (PS3.5 §6.2)."""


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


AssetIds = Annotated[tuple[Id, ...], NoDecode, BeforeValidator(_split)]
"""Ids of assets, separated by commas."""

SiteVantages = Annotated[Mapping[str, str | None], NoDecode, BeforeValidator(parse_vantages)]
"""By site the agent that asks its nodes: ``south=south-dmz west=none``."""


class KindSettings(BaseSettings):
    """What the kinds of probes need to know of where they run: in a replica of the service, or in an agent."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    probe_ae_title: AeTitle = Field("STEWARD", description="our AE title as the caller", examples=["STEWARD"])
    probe_listen_host: str = Field(
        "0.0.0.0",  # noqa: S104 -- archives send from other machines
        description="where archives reach us with what a C-MOVE, or a storage commitment, sends",
        examples=["10.1.4.20"],
    )
    probe_listen_port: int = Field(
        11_112,
        ge=0,
        le=65_535,
        description="the port there; an archive must know it with our AE title. It is open only while one is awaited",
        examples=[11_112],
    )
    probe_secrets: str | None = Field(
        None,
        description="folder of the secrets that checks name, a file each; without it no check gets one",
        examples=["/etc/steward/secrets"],
    )
    probe_commands: str | None = Field(
        None,
        description="folder of the programs that checks of the kind command may run; without it none is run",
        examples=["/usr/lib/nagios/plugins"],
    )


class ProbesSettings(KindSettings, ServiceSettings):
    """How often probes run, as whom, and when their failures become an alert."""

    probe_interval: float = Field(
        60, ge=0.1, le=86_400, description="seconds from one run of a probe to the next", examples=[60]
    )
    probe_retry_interval: float = Field(
        20, ge=0.1, le=86_400, description="seconds to the next run while an alert is undecided", examples=[20]
    )
    probe_timeout: float | None = Field(
        None,
        gt=0,
        description="seconds that a run may take, at most 0.8 of the interval; by default 10, or 0.8 of the interval",
        examples=[10],
    )
    probe_concurrency: int = Field(500, ge=1, le=10_000, description="runs at the same time", examples=[500])
    probe_site_concurrency: int = Field(
        100, ge=1, le=10_000, description="runs at the same time at one site, by all replicas together", examples=[100]
    )
    probe_vantage: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        max_length=255,
        description="where the probes are made from, as results tell it; by default the host's name",
        examples=["north-dc1"],
    )
    probe_site_vantages: SiteVantages = Field(
        {},
        description="by site, the agent that makes the probes which nodes get by themselves, or none for no probes;"
        " those of all other sites are made by the service",
        examples=["south=south-dmz west=none"],
    )
    probe_history_days: float = Field(
        30, ge=1, le=3650, description="days for which single results are kept", examples=[30]
    )
    probe_rollup_years: float = Field(
        2, ge=0.1, le=50, description="years for which their sums of 5 minutes are kept", examples=[2]
    )
    probe_hourly_years: float = Field(
        10, ge=0.1, le=50, description="years for which their sums of an hour are kept", examples=[10]
    )
    suite_history_days: float = Field(
        3653,
        ge=30,
        le=36_525,
        description="days for which ended runs of suites with their evidence, conformance matrices and closed reports"
        " of staff are kept; of each node the latest matrix stays",
        examples=[3653],
    )
    alert_failures: int = Field(3, ge=1, le=100, description="failures in a row that raise an alert", examples=[3])
    alert_successes: int = Field(2, ge=1, le=100, description="successes in a row that resolve it", examples=[2])
    alert_window_grace: float = Field(
        600, ge=0, le=86_400, description="seconds after a window in which nothing is raised yet", examples=[600]
    )
    alert_own_network: AssetIds = Field(
        (),
        description="assets between us and all targets, such as our gateway: nothing is raised behind one that is down",
        examples=["0197f2a4-6a3c-7d52-9c39-3f7e5a1b2c4d"],
    )
    alert_history_days: float = Field(
        400,
        ge=1,
        le=3650,
        description="days after which resolved alerts and their steps are deleted here",
        examples=[400],
    )

    @field_validator("probe_timeout")
    @classmethod
    def _leaves_room(cls, timeout: float | None, info: ValidationInfo) -> float | None:
        interval = info.data.get("probe_interval")
        if timeout is not None and interval is not None and timeout > LARGEST_SHARE * interval:
            raise ValueError(f"must be at most {LARGEST_SHARE} of STEWARD_PROBE_INTERVAL")
        return timeout

    @property
    def timeout(self) -> float:
        """Seconds that a run may take."""
        return self.probe_timeout or min(USUAL_TIMEOUT, LARGEST_SHARE * self.probe_interval)

    @property
    def cadence(self) -> Cadence:
        """When the probes that nodes get by themselves run."""
        return Cadence(
            timedelta(seconds=self.probe_interval),
            timedelta(seconds=self.probe_retry_interval),
            timedelta(seconds=self.timeout),
        )

    @property
    def defaults(self) -> Defaults:
        """The probes that nodes get by themselves."""
        return Defaults(self.cadence, self.probe_site_vantages)

    @property
    def policy(self) -> Policy:
        """When failures become an alert."""
        return Policy(
            self.alert_failures,
            self.alert_successes,
            timedelta(seconds=self.alert_window_grace),
            self.alert_own_network,
        )

    @property
    def alert_history(self) -> timedelta:
        """How long resolved alerts and transitions are kept."""
        return timedelta(days=self.alert_history_days)

    @property
    def history(self) -> timedelta:
        """How long results are kept."""
        return timedelta(days=self.probe_history_days)

    @property
    def suite_history(self) -> timedelta:
        """How long runs of suites, what they have shown, and closed reports are kept."""
        return timedelta(days=self.suite_history_days)

    @property
    def fine_history(self) -> timedelta:
        """How long sums of 5 minutes are kept."""
        return timedelta(days=DAYS_OF_YEAR * self.probe_rollup_years)

    @property
    def coarse_history(self) -> timedelta:
        """How long sums of an hour are kept."""
        return timedelta(days=DAYS_OF_YEAR * self.probe_hourly_years)
