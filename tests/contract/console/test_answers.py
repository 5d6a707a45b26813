"""The console reads nothing that the services do not answer."""

from typing import get_args

import pytest
from pydantic import BaseModel

from services.backup.runs.domain import Run
from services.compliance.search.domain import AuditedEvent
from services.console.assets import domain as assets
from services.console.endoflife import domain as ends
from services.console.overview import domain
from services.inventory.assets.domain import Component, Node, Software, System
from services.inventory.contracts.domain import Contract, Level, SystemSupport
from services.inventory.endoflife.domain import BudgetLine, Candidate, ComponentEnd, ReplacementOrder
from services.inventory.evidence.domain import EvidenceRecord
from services.inventory.history.domain import FieldChange, Revision
from services.inventory.lifecycle.domain import Gates, Judgement, MetKind, MissingKind, Transition
from services.inventory.links.domain import Dependent, Impact, Link
from services.inventory.sites.domain import Site
from services.inventory.vendors.domain import Vendor
from services.inventory.waivers.domain import Waiver
from services.maintenance.windows.domain import Window
from services.probes.alerts.records import Alert, Standing
from services.probes.history.domain import Result
from services.probes.reports.domain import Report
from services.probes.targets.domain import Target
from shared.events.envelope import Envelope
from shared.events.inventory import LifecycleState
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
    (domain.Order, ReplacementOrder),
    (assets.Gates, Gates),
    (assets.Gate, Judgement),
    (assets.MetKind, MetKind),
    (assets.MissingKind, MissingKind),
    (assets.Evidence, EvidenceRecord),
    (assets.Waiver, Waiver),
    (assets.Transition, Transition),
    (assets.Link, Link),
    (assets.Impact, Impact),
    (assets.Dependent, Dependent),
    (assets.Contract, Contract),
    (assets.Level, Level),
    (assets.Vendor, Vendor),
    (assets.Support, SystemSupport),
    (assets.End, ComponentEnd),
    (assets.Candidate, Candidate),
    (assets.Revision, Revision),
    (assets.FieldChange, FieldChange),
    (ends.BudgetLine, BudgetLine),
    (ends.ComponentEnd, ComponentEnd),
    (ends.Order, ReplacementOrder),
]


@pytest.mark.parametrize(("read", "answered"), PAIRS, ids=lambda model: model.__module__.split(".")[1])
def test_every_field_that_is_read_is_answered(read: type[BaseModel], answered: type[BaseModel]) -> None:
    """A field that a service renames would else silently vanish from the page."""
    assert set(read.model_fields) <= set(answered.model_fields)


def test_every_field_of_an_asset_is_answered_of_some_kind() -> None:
    """Systems, nodes and components each have their own; what all have, all have."""
    kinds = [set(kind.model_fields) for kind in (System, Node, Component)]
    assert set(assets.Asset.model_fields) <= set.union(*kinds)
    required = {name for name, field in assets.Asset.model_fields.items() if field.is_required()}
    assert required <= set.intersection(*kinds)


def test_every_state_has_its_place_on_the_line_of_a_life() -> None:
    """Straight on, beside it, or where it ends before its time."""
    states = set(get_args(LifecycleState))
    assert {*assets.LIFE, *assets.ASIDE} == states - {"cancelled"}
    assert set(assets.ASIDE.values()) <= set(assets.LIFE)


def test_every_field_that_is_read_of_an_event_is_in_its_envelope() -> None:
    """The page shows events of the audit trail, which are as they were on the wire."""
    assert set(domain.AuditedEvent.model_fields) <= set(Envelope.__struct_fields__)


def test_every_outcome_and_state_has_a_meaning_on_the_page() -> None:
    """What is worse than ok is ranked; a window that is neither to come nor open is left out."""
    outcomes = set(get_args(Result.model_fields["outcome"].annotation))
    assert set(domain.BADNESS) == outcomes - {"ok", "skipped"}
    assert set(get_args(Window.model_fields["state"].annotation)) >= domain.LIVE_WINDOWS
