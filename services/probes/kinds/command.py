"""The kind ``command``: any monitoring plugin that keeps to the conventions of Nagios."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.probes.kinds.asking import NETWORK_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, our_fault
from services.probes.kinds.domain import Configuration, Observation
from services.probes.kinds.perfdata import first_line, measures_of
from services.probes.kinds.secret_names import Secret
from services.probes.kinds.secrets import Secrets
from shared.events.probes import Outcome
from shared.programs import LOCALE, output_of, running

LONGEST_OUTPUT = 65_536
OUTCOMES: dict[int, tuple[Outcome, str | None]] = {
    0: ("ok", None),
    1: ("degraded", "command_warning"),
    2: ("failed", "command_critical"),
    3: ("probe_error", "command_unknown"),
}

Argument = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]


class CommandSettings(BaseModel):
    """The program, and what to give it. No shell reads any of it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"program": "check_disk", "arguments": ["-w", "20%", "-c", "10%", "-p", "/"]}]},
    )

    program: str = Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*){0,4}$",
        max_length=200,
        description="path of the program below the folder STEWARD_PROBE_COMMANDS",
        examples=["check_ping"],
    )
    arguments: list[Argument] = Field(
        [], max_length=100, description="its arguments, each as it is", examples=[["-H", "pacs.north.example.org"]]
    )
    secrets: dict[Variable, Secret] = Field(
        {},
        max_length=20,
        description="environment variables that hold secrets; arguments can be seen by all users of a machine",
        examples=[{"PASSWORD": "north.ris-password"}],
    )


class Command(Asking[CommandSettings]):
    """A program that says by its exit status how its target is, and by what it prints, why."""

    name = "command"
    summary = (
        "Runs a monitoring plugin: exit 0, 1, 2, 3 is ok, degraded, failed, probe_error; its numbers are measures."
    )
    settings = CommandSettings
    interval = timedelta(minutes=5)
    has_own_measures: ClassVar = True
    phases: ClassVar = frozenset({"command"})
    failures: ClassVar = {
        "command_warning": "the plugin says WARNING (exit 1)",
        "command_critical": "the plugin says CRITICAL (exit 2)",
        "command_unknown": "probe_error: the plugin says UNKNOWN (exit 3), or ended otherwise",
        "command": "probe_error: no such program in the folder, or it can't be started",
        "too_large": "probe_error: the plugin printed without end",
        **{word: NETWORK_FAILURES[word] for word in ("timeout_answer", "secret")},
    }

    def __init__(self, secrets: Secrets, folder: str | None = None) -> None:
        super().__init__(secrets)
        self._folder = folder

    @classmethod
    def configured(cls, configuration: Configuration) -> Self:
        """Runs programs of the folder that was set."""
        return cls(Secrets(configuration.probe_secrets), configuration.probe_commands)

    async def ask(self, settings: CommandSettings, attempt: Attempt) -> Observation:
        """Runs the program; at its end, or ours, none of its processes is left."""
        program = _program(self._folder, settings.program)
        hidden = {variable: attempt.secret(name) for variable, name in settings.secrets.items()}
        environment = {**LOCALE, **hidden}
        with attempt.phase("command"):
            status, output = await _run([str(program), *settings.arguments], environment)
        outcome, failure = OUTCOMES.get(status, ("probe_error", "command_unknown"))
        said = first_line(output) or f"{settings.program} said nothing"
        detail = said if status in OUTCOMES else f"{settings.program} ended with status {status}: {said}"
        return Observation(outcome, failure, detail[:1000], measures=measures_of(output), facts={"status": str(status)})


def _program(folder: str | None, name: str) -> Path:
    """The program, where it truly lies below the folder: a link that leads out of it is refused."""
    if folder is None:
        raise our_fault("command", "No program may be run here: STEWARD_PROBE_COMMANDS names no folder.")
    root = Path(folder).resolve()
    program = (root / name).resolve()
    if not program.is_relative_to(root) or not program.is_file() or not os.access(program, os.X_OK):
        raise our_fault("command", f"{folder} holds no program {name} that can be run.")
    return program


async def _run(command: list[str], environment: dict[str, str]) -> tuple[int, str]:
    try:
        async with running(command, environment) as process:
            said, complained = await asyncio.gather(_all_of(process.stdout), _all_of(process.stderr))
            return await process.wait(), said if said.strip() else complained
    except OSError as exc:
        raise our_fault("command", f"{command[0]} can't be started: {exc.strerror}.") from exc


async def _all_of(stream: asyncio.StreamReader | None) -> str:
    output = await output_of(stream, LONGEST_OUTPUT)
    if output is None:
        raise our_fault("too_large", f"The program printed more than {LONGEST_OUTPUT} bytes.")
    return output.decode(errors="replace")
