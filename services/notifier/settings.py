"""The settings of notifier."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, ValidationInfo, field_validator
from pydantic_settings import NoDecode

from services.notifier.delivery.domain import SERVICE_DESK
from services.notifier.delivery.smtp import TlsMode
from shared.mail_address import wire_address
from shared.settings import ServiceSettings

MAX_WAIT = 30 * 24 * 3600.0


def _sender(text: str) -> str:
    address = wire_address(text)
    if address is None or not address.isascii():
        raise ValueError("must be a mail address in ASCII letters")
    return address


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _pauses(seconds: tuple[float, ...]) -> tuple[float, ...]:
    if not seconds or not all(0 < pause <= MAX_WAIT for pause in seconds):
        raise ValueError("must be numbers of seconds above 0, separated by commas")
    return seconds


Pauses = Annotated[tuple[float, ...], NoDecode, BeforeValidator(_split), AfterValidator(_pauses)]


class NotifierSettings(ServiceSettings):
    """How mail leaves, in whose name, and how long notifier tries."""

    smtp_host: str = Field(min_length=1, description="the mail server", examples=["mail.hospital.example"])
    smtp_port: int = Field(587, ge=1, le=65535, description="its port", examples=[587])
    smtp_tls: TlsMode = Field(
        TlsMode.STARTTLS, description="none, starttls, or tls from the first byte", examples=["starttls"]
    )
    smtp_ca: FilePath | None = Field(
        None, description="CA file of the mail server", examples=["/etc/steward/mail-ca.pem"]
    )
    smtp_username: str | None = Field(None, description="login at the mail server", examples=["steward"])
    smtp_password: str | None = Field(None, description="its password", examples=["secret"])
    smtp_timeout: float = Field(30.0, gt=0, le=600, description="seconds for one mail, in all", examples=[30])
    mail_sender: Annotated[str, AfterValidator(_sender)] = Field(
        description="address that mail comes from; keep it: calendars know windows by it",
        examples=["steward@hospital.example"],
    )
    mail_sender_name: str = Field("Steward", max_length=100, description="name beside it", examples=["PACS team"])
    mail_contact: str = Field(
        SERVICE_DESK, description="whom to call about an alert", examples=["PACS team, +49 30 1234-567"]
    )
    mail_retry_seconds: Pauses = Field(
        (60.0, 300.0, 900.0, 3600.0),
        description="pauses before each new attempt; the last is repeated",
        examples=["60,300,900,3600"],
    )
    mail_give_up_seconds: float = Field(
        4 * 24 * 3600.0, gt=0, le=MAX_WAIT, description="age at which a mail is given up", examples=[345600]
    )

    @field_validator("smtp_username")
    @classmethod
    def _login_is_protected(cls, username: str | None, info: ValidationInfo) -> str | None:
        if username is not None and info.data.get("smtp_tls") is TlsMode.NONE:
            raise ValueError("needs STEWARD_SMTP_TLS to be starttls or tls: the password would travel in the clear")
        return username

    def lease(self) -> timedelta:
        """How long one sender keeps a delivery: a whole attempt, and as long again to write and to store it."""
        return timedelta(seconds=2 * self.smtp_timeout)
