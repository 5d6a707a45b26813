"""The settings of compliance."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from services.compliance.checkpoints.keys import Keyring, open_keyring
from services.compliance.checkpoints.witnesses import Witness
from shared.errors import WrongSetting
from shared.settings import ServiceSettings


class ComplianceSettings(ServiceSettings):
    """Who signs the audit log, where it is remembered what was published, and who witnesses it.

    The log's origin is the name of its keys.
    """

    log_key: SecretStr = Field(
        SecretStr(""),
        description="private keys that sign the log, made by `steward log keygen`; several, separated by spaces, sign"
        " at once while one replaces the other",
        examples=["PRIVATE+KEY+steward.example.org/log+…"],
    )
    log_key_commands: str = Field(
        "",
        description="public keys whose private ones a command holds, one a line: the key, then the command, which reads"
        " a message on standard input and writes its Ed25519 signature, raw or in Base64",
        examples=["steward.example.org/log+… /usr/local/bin/kms-sign --key steward-log"],
    )
    log_former_keys: str = Field(
        "",
        description="public keys that signed the log before, separated by spaces",
        examples=["steward.example.org/log+…"],
    )
    log_published: Path | None = Field(
        None,
        description="file that remembers the last published checkpoint; on a volume that is not restored together with"
        " the database",
        examples=["/var/lib/steward/published/checkpoint"],
    )
    log_checkpoint_interval: float = Field(
        10.0, gt=0, le=300, description="seconds between two checkpoints of the audit log while it grows", examples=[60]
    )
    log_archive: str | None = Field(
        None,
        description="where old entries are archived before they are pruned: a folder that exists or a bucket; without"
        " it nothing is pruned",
        examples=["s3://steward-archive/log"],
    )
    log_archive_endpoint: str | None = Field(
        None,
        description="address of an S3 service that is not Amazon's; the login comes from AWS_ACCESS_KEY_ID and"
        " AWS_SECRET_ACCESS_KEY",
        examples=["https://s3.hospital.example"],
    )
    log_witnesses: str = Field(
        "",
        description="witnesses of the log: the public key and the URL of each, all separated by spaces",
        examples=["north.example.org/witness+… https://witness.north.example.org"],
    )

    @field_validator("log_published")
    @classmethod
    def _is_absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("must be an absolute path")
        return path

    def keyring(self) -> Keyring | None:
        """The log's keys; None when no key is named. Raises WrongSetting."""
        if not (self.log_key.get_secret_value().strip() or self.log_key_commands.strip()):
            return None
        if self.log_published is None:
            raise WrongSetting("STEWARD_LOG_PUBLISHED: is required when the log is signed, for example /var/lib/…")
        return open_keyring(self.log_key.get_secret_value(), self.log_key_commands, self.log_former_keys)

    def witnesses(self) -> tuple[Witness, ...]:
        """Who is asked to cosign each checkpoint. Raises WrongSetting."""
        return Witness.parse_all(self.log_witnesses)
