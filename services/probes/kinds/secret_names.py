"""Whose a secret is: its name begins with that of its site, or with ``group``.

A check sends its secret to where its settings say. Were any name allowed, who may make checks at one site could have
the password of another site's archive sent to a server of his own.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, StringConstraints, TypeAdapter, ValidationError

from shared.errors import Malformed
from shared.events import GROUP

PATTERN = r"^[a-z0-9][a-z0-9._-]{0,127}$"


class SecretName(str):
    """The name of a secret, in settings that were validated."""

    __slots__ = ()


Secret = Annotated[str, StringConstraints(pattern=PATTERN), AfterValidator(SecretName)]
"""The name of a file in the folder of secrets: lower-case letters, digits, dots, hyphens and underscores."""


def secrets_in(settings: object, field: str = "settings") -> Iterator[tuple[str, SecretName]]:
    """All secrets that settings name, each with its field, as ``settings.tls.key``; they are told by their type."""
    if isinstance(settings, SecretName):
        yield field, settings
    for name, value in _parts(settings):
        yield from secrets_in(value, f"{field}.{name}")


def secrets_in_part(kind: type[BaseModel], settings: Mapping[str, Any], field: str) -> Iterator[tuple[str, SecretName]]:
    """The same of settings that are not complete yet; what is not valid is left out."""
    for name, info in kind.model_fields.items():
        given = settings.get(info.alias or name, settings.get(name))
        try:
            valid = TypeAdapter(info.rebuild_annotation()).validate_python(given)
        except ValidationError:
            continue
        yield from secrets_in(valid, f"{field}.{info.alias or name}")


def check_secrets(named: Iterable[tuple[str, SecretName]], site_id: str, may_use_group: bool) -> None:
    """Raises Malformed for the first secret that a check of the site may not name.

    ``may_use_group`` is whether secrets of the group may be named too: by a group-admin alone.
    """
    for field, name in named:
        if is_of(name, GROUP) and not may_use_group:
            raise Malformed(field, "is a secret of the group, which takes a group-admin", _example(name, site_id))
        if not (is_of(name, site_id) or is_of(name, GROUP)):
            raise Malformed(field, f"must be a secret of the site: begin with {site_id}.", _example(name, site_id))


def foreign_secret(settings: BaseModel, site_id: str) -> str | None:
    """The first secret that is neither the site's nor the group's."""
    return next((name for _, name in secrets_in(settings) if not (is_of(name, site_id) or is_of(name, GROUP))), None)


def is_of(name: str, site_id: str) -> bool:
    """Whether the secret is of the site, or of the group."""
    return name.startswith(f"{site_id}.")


def _parts(settings: object) -> Iterable[tuple[object, object]]:
    if isinstance(settings, BaseModel):
        fields = type(settings).model_fields
        return ((info.alias or name, getattr(settings, name)) for name, info in fields.items())
    if isinstance(settings, Mapping):
        return settings.items()
    return enumerate(settings) if isinstance(settings, list | tuple) else ()


def _example(name: str, site_id: str) -> str:
    return f"{site_id}.{name.rpartition('.')[2] if '.' in name else name}"
