"""The seven services by name. Nothing of a service is imported before it is asked for."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from shared.database import Pool
    from shared.service import Build, Service
    from shared.settings import HttpSettings, ServiceSettings

OWNING_DATA = ("inventory", "maintenance", "probes", "backup", "compliance", "notifier")
SERVICES = (*OWNING_DATA, "console")


def settings_class(name: str) -> "type[HttpSettings]":
    """The settings of a service."""
    return cast(
        "type[HttpSettings]", getattr(import_module(f"services.{name}.settings"), f"{name.capitalize()}Settings")
    )


def builder(name: str, settings: "ServiceSettings") -> "Build":
    """What puts a service together over a pool."""
    build: Callable[[Pool, Any], Service] = import_module(f"services.{name}.__main__").build
    return lambda pool: build(pool, settings)


def migrations(name: str) -> Path:
    """The folder of a service's migrations."""
    return Path(__file__).parent / name / "migrations"
