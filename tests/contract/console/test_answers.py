"""The console reads nothing that the services do not answer."""

from typing import get_args

import pytest
from pydantic import BaseModel

from services.backup.runs.domain import Run
from services.compliance.search.domain import AuditedEvent
from services.console.overview import domain
from services.inventory.assets.domain import Node, Software, System
from services.inventory.sites.domain import Site
from services.maintenance.windows.domain import Window
from services.probes.alerts.records import Alert, Standing
from services.probes.history.domain import Result
from services.probes.reports.domain import Report
from services.probes.targets.domain import Target
from shared.events.envelope import Envelope
from shared.events.maintenance import SystemRef

PAIRS: list[tuple[type[BaseModel], type[BaseModel]]] = [
    (domain.Site, Site),
    (domain.System, System),
    (domain.Software, Software),
    (domain.Node, Node),
    (domain.Target, Target),
    (domain.Result, Result),
    (domain.Alert, Alert),
    (domain.Standing, Standing),
    (domain.Report, Report),
    (domain.Window, Window),
    (domain.SystemRef, SystemRef),
    (domain.Run, Run),
    (domain.Entry, AuditedEvent),
]


@pytest.mark.parametrize(("read", "answered"), PAIRS, ids=lambda model: model.__module__.split(".")[1])
def test_every_field_that_is_read_is_answered(read: type[BaseModel], answered: type[BaseModel]) -> None:
    """A field that a service renames would else silently vanish from the page."""
    assert set(read.model_fields) <= set(answered.model_fields)


def test_every_field_that_is_read_of_an_event_is_in_its_envelope() -> None:
    """The page shows events of the audit trail, which are as they were on the wire."""
    assert set(domain.AuditedEvent.model_fields) <= set(Envelope.__struct_fields__)


def test_every_outcome_and_state_has_a_meaning_on_the_page() -> None:
    """What is worse than ok is ranked; a window that is neither to come nor open is left out."""
    outcomes = set(get_args(Result.model_fields["outcome"].annotation))
    assert set(domain.BADNESS) == outcomes - {"ok", "skipped"}
    assert set(get_args(Window.model_fields["state"].annotation)) >= domain.LIVE_WINDOWS
