"""The settings of the console."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.settings import HttpSettings


def _base_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("must be an http:// or https:// URL")
    return text.rstrip("/")


class ConsoleSettings(HttpSettings):
    """Where the console finds the other services. It has no database."""

    console_api: Annotated[str, AfterValidator(_base_url)] = Field(
        "http://127.0.0.1:8080",
        description="base URL of the services' REST APIs",
        examples=["https://steward.example.org"],
    )
