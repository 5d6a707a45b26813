"""The settings of `steward probe-agent`."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from services.probes.agents.domain import AgentName
from services.probes.settings import KindSettings
from shared.settings import LogSettings


class VantageSettings(KindSettings, LogSettings):
    """Which vantage this is, where its work comes from, and where results wait while the link is down."""

    agent_name: AgentName = Field(
        description="name of this vantage, as the checks name it that are made here", examples=["north-dmz"]
    )
    agent_server: str = Field(
        description="address of the service probes", examples=["https://steward.example.org/probes"]
    )
    agent_token: SecretStr = Field(
        description="API key of this agent, with the role service at its sites", examples=["stw_…"]
    )
    agent_ca: str | None = Field(
        None, description="CA file of the service's certificate", examples=["/etc/steward/ca.pem"]
    )
    agent_spool: Path = Field(
        description="folder where results wait until the service has them", examples=["/var/lib/steward-agent"]
    )
    agent_spool_results: int = Field(
        1_000_000,
        ge=1000,
        le=100_000_000,
        description="most results that wait; then the oldest go",
        examples=[1_000_000],
    )
    agent_concurrency: int = Field(
        100, ge=1, le=10_000, description="most runs that are under way at the same time", examples=[100]
    )
    agent_refresh: float = Field(
        10, ge=0.1, le=3600, description="most seconds from one question for work to the next", examples=[10]
    )

    @field_validator("agent_spool")
    @classmethod
    def _is_absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

    @field_validator("agent_server")
    @classmethod
    def _is_url(cls, url: str) -> str:
        if not url.startswith(("http://", "https://")):
            raise ValueError("must be an http:// or https:// URL")
        return url
