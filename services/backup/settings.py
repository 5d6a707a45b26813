"""The settings of backup."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from shared.settings import ServiceSettings


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _split(value: object) -> object:
    return [part for part in value.split(":") if part] if isinstance(value, str) else value


Folder = Annotated[Path, AfterValidator(_absolute)]
Folders = Annotated[tuple[Folder, ...], NoDecode, BeforeValidator(_split), Field(min_length=1)]


class BackupSettings(ServiceSettings):
    """Where backups come from and go to, and the password that opens them."""

    backup_repositories: Folder = Field(
        description="folder of the repositories, one below SITE/NAME", examples=["/var/lib/steward/repositories"]
    )
    backup_roots: Folders = Field(
        description="what may be backed up lies below one of these folders; several are separated by colons",
        examples=["/srv/archive:/srv/database-dumps"],
    )
    backup_work: Folder = Field(
        description="folder for restic's cache and temporary files, and for the output of each run; must survive a"
        " restart, so that a run that ended meanwhile is understood",
        examples=["/var/lib/steward/backup"],
    )
    backup_password: SecretStr = Field(
        min_length=1,
        description="password of the repositories; without it no backup can be restored, so keep a copy elsewhere",
        examples=["a long random text"],
    )
    backup_restic: str = Field("restic", description="the restic program", examples=["/usr/bin/restic"])
    backup_timeout: float = Field(86_400, gt=0, description="longest time of a run, in seconds", examples=[86_400])
    backup_lease: float = Field(
        180,
        ge=1,
        le=3600,
        description="seconds after which the run of a runner that died is taken up; a run outlives a database that is"
        " away for less than two thirds of it",
        examples=[180],
    )
    backup_parallel: int = Field(
        2, ge=1, le=16, description="runs at the same time, each on a repository of its own", examples=[2]
    )
