"""Rules of what is kept of inventory: its newest word counts, but for a patch that it has not heard of."""

from pydantic import BaseModel, ConfigDict

from shared.events.inventory import LifecycleState

GONE: frozenset[LifecycleState] = frozenset({"closed", "cancelled"})
RUNNING: frozenset[LifecycleState] = frozenset({"staged", "commissioning", "in_service", "maintenance", "degraded"})


class Site(BaseModel):
    """A hospital of the group."""

    model_config = ConfigDict(frozen=True)

    id: str
    time_zone: str
    version: int


class System(BaseModel):
    """A PACS system.

    ``reported_version`` is the software that inventory last told of; ``unconfirmed`` are the versions of patches
    recorded here that it has not told of yet, oldest first.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    site_id: str
    name: str
    state: LifecycleState
    version: int
    reported_version: str | None
    unconfirmed: tuple[str, ...] = ()

    @property
    def software_version(self) -> str | None:
        """What the system runs by all that is known here."""
        return self.unconfirmed[-1] if self.unconfirmed else self.reported_version

    @property
    def is_gone(self) -> bool:
        """Whether its life is over, so that no work is planned on it."""
        return self.state in GONE

    @property
    def is_running(self) -> bool:
        """Whether it is in a state in which its software runs."""
        return self.state in RUNNING


def after_patch(system: System, to_version: str) -> System:
    """The system once a patch is recorded here, before inventory knows."""
    return system.model_copy(update={"unconfirmed": (*system.unconfirmed, to_version)})


def after_report(known: System | None, report: System) -> System:
    """What to keep when inventory reports a system's state.

    Inventory may change a name while a patch is still on its way to it; such a report is newer and yet tells of the
    software before the patch. So patches stay in force until inventory tells of another version than before: of theirs,
    which confirms them and those before, or of one that nobody patched to, which overrules them.
    """
    if known is None:
        return report
    if report.version <= known.version:
        return known
    return report.model_copy(update={"unconfirmed": _still_unconfirmed(known, report.reported_version)})


def _still_unconfirmed(known: System, reported: str | None) -> tuple[str, ...]:
    if reported == known.reported_version:
        return known.unconfirmed
    if reported in known.unconfirmed:
        return known.unconfirmed[known.unconfirmed.index(reported) + 1 :]
    return ()
