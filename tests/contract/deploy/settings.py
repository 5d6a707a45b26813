"""Whether an environment is what a service's settings class asks for."""

from collections.abc import Mapping
from pathlib import Path

from pydantic_settings import BaseSettings

from services.cli.settings import MigrateSettings
from services.registry import settings_class
from shared.settings import PREFIX, BusSettings, load, variable
from tests.contract.deploy.image import image_environment


def assert_fits(runs: str, environment: Mapping[str, str], mounts: Mapping[str, Path]) -> None:
    """Raises AssertionError for a variable that ``runs`` does not know, WrongSetting for a missing or wrong one.

    ``runs`` is a service or ``migrate``; ``mounts`` says where the container's folders are on this machine.
    """
    kind: type[BaseSettings] = MigrateSettings if runs == "migrate" else settings_class(runs)
    known = {variable(field) + end for field in kind.model_fields for end in ("", "_FILE")}
    unknown = {name for name in environment if name.startswith(PREFIX)} - known
    assert not unknown, f"{runs} has no setting {unknown}"
    of_image = {} if runs == "migrate" else image_environment()
    settings = load(kind, {name: _here(value, mounts) for name, value in {**of_image, **environment}.items()})
    if isinstance(settings, BusSettings):
        settings.open_bus()
    database = getattr(settings, "database", None)
    assert database is None or f"//steward_{runs}:" in database, f"{runs} logs in as somebody else"


def _here(value: str, mounts: Mapping[str, Path]) -> str:
    for folder, here in mounts.items():
        if value.startswith(f"{folder}/"):
            return str(here / value.removeprefix(f"{folder}/"))
    return value
