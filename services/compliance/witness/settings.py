"""The settings of `steward witness`."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from services.compliance.checkpoints.cosignature import CosignatureKey
from services.compliance.checkpoints.keys import parse_setting
from services.compliance.checkpoints.note import SignerKey, VerifierKey
from services.compliance.witness.domain import Logs
from shared.errors import WrongSetting
from shared.settings import ListenSettings


class WitnessSettings(ListenSettings):
    """Whose logs are witnessed, with which key, and what is remembered where."""

    witness_key: SecretStr = Field(
        description="private key of the witness, made by `steward witness keygen`",
        examples=["PRIVATE+KEY+north.example.org/witness+…"],
    )
    witness_logs: str = Field(
        description="public keys of the logs that are witnessed, separated by spaces; several of one log are of one"
        " name, while one key replaces the other",
        examples=["steward.example.org/log+…"],
    )
    witness_state: Path = Field(
        description="folder of what the witness remembers; never restore it from a backup",
        examples=["/var/lib/steward-witness"],
    )
    witness_alert_url: str | None = Field(
        None,
        description="where a contradiction is posted as JSON, until it is taken",
        examples=["https://alerts.north.example.org/hook"],
    )

    @field_validator("witness_state")
    @classmethod
    def _is_absolute(cls, path: Path) -> Path:
        if not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

    @field_validator("witness_alert_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("must be an http:// or https:// URL")
        return url

    def key(self) -> SignerKey:
        """The witness's key. Raises WrongSetting, which does not show it."""
        text = self.witness_key.get_secret_value().strip()
        return parse_setting("STEWARD_WITNESS_KEY", lambda found: SignerKey.parse(found, CosignatureKey), text)

    def logs(self) -> Logs:
        """The keys of each log, by its origin. Raises WrongSetting."""
        setting = "STEWARD_WITNESS_LOGS"
        keys = [parse_setting(setting, VerifierKey.parse, text) for text in self.witness_logs.split()]
        if not keys:
            raise WrongSetting(f"{setting}: names no log, for example steward.example.org/log+…")
        return {key.name: [other for other in keys if other.name == key.name] for key in keys}
