"""Kinds with their secrets, and settings for each that asks a peer at any host and port."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.probes.kinds import KINDS
from services.probes.kinds.domain import Kind, Observation

PLUGINS = "/usr/lib/nagios/plugins"
SECRETS = {"word": "open sesame", "community": "public-in-tests", "wrong": "shut sesame"}

Settings = Callable[[str, int], dict[str, Any]]


def by_example(kind: type[Kind[Any]]) -> Settings | None:
    """The settings of the kind's own example, at another peer; None where it names no peer by host and port, or URL."""
    example: dict[str, Any] = kind.settings.model_json_schema()["examples"][0]
    if {"host", "port"} <= example.keys():
        return lambda host, port: example | {"host": host, "port": port}
    return (lambda host, port: example | {"url": f"http://{host}:{port}/"}) if "url" in example else None


OF_THEIR_OWN: Mapping[str, Settings] = {
    "tcp": lambda host, port: {"host": host, "port": port, "greeting": "220 "},
    "dicomweb": lambda host, port: {"url": f"http://{host}:{port}/dicom-web"},
    "web-login": lambda host, port: {"url": f"http://{host}:{port}/", "username": "ann", "password": "word"},
    "database": lambda host, port: {
        "dsn": f"postgresql://steward@{host}:{port}/pacs",
        "query": "select 1",
        "tls": "none",
        "password": "word",
    },
    "redfish": lambda host, port: {"url": f"http://{host}:{port}", "username": "ann", "password": "word"},
    "prometheus": lambda host, port: {"url": f"http://{host}:{port}", "expression": "up"},
}
"""Where the example is not enough: it names secrets that are not here, or awaits nothing of a silent peer."""

OVER_UDP: Mapping[str, Settings] = {
    "snmp": lambda host, port: {"host": host, "port": port, "community": "community", "presets": ["load"]},
    "ntp": lambda host, port: {"host": host, "port": port},
}
OVER_TCP: Mapping[str, Settings] = {
    kind.name: settings
    for kind in KINDS
    if not kind.is_connectionless and not kind.name.startswith("dicom-")
    if (settings := OF_THEIR_OWN.get(kind.name) or by_example(kind)) is not None
}


@dataclass(frozen=True)
class Here:
    """What kinds need of the settings of a service."""

    probe_secrets: str | None
    probe_commands: str | None = PLUGINS
    probe_ae_title: str = "STEWARD"
    probe_listen_host: str = "127.0.0.1"
    probe_listen_port: int = 0


@dataclass(frozen=True)
class Asked:
    """All kinds as one replica has them."""

    here: Here

    def kind(self, name: str) -> Kind[Any]:
        """The kind of that name."""
        return kind_of(name).configured(self.here)

    async def __call__(self, kind: str, settings: Mapping[str, Any], timeout: float = 20) -> Observation:
        """One run; its settings pass through JSON's forms as those of a check do. It tells only numbers that may be."""
        model, its = kind_of(kind).settings.model_validate(settings), kind_of(kind)
        seen = await self.kind(kind).run(its.settings.model_validate(model.model_dump(mode="json")), timeout)
        assert set(seen.phases) <= its.phases
        assert its.has_own_measures or set(seen.measures) <= set(its.measures)
        return seen


def kind_of(name: str) -> type[Kind[Any]]:
    """The class of that kind."""
    return next(kind for kind in KINDS if kind.name == name)


def with_secrets(folder: Path) -> Asked:
    """Kinds that read these tests' secrets in the folder."""
    for name, value in SECRETS.items():
        (folder / name).write_text(f"{value}\n")
    return Asked(Here(str(folder)))
