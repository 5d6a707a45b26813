"""The suites that Steward brings along. They know no address: they run on what the system has of each role."""

from collections.abc import Mapping
from typing import Any

from services.probes.kinds.storage_classes import VERIFICATION
from services.probes.suites.domain import Item, Purpose, Suite
from services.probes.suites.expectations import Expectation
from shared.events import GROUP
from shared.events.inventory import NodeRole
from shared.events.probes import Function, Interface

LONG_SECONDS = 600


def _item(name: str, function: Function, interface: Interface, kind: str, **more: Any) -> Item:
    return Item(name=name, function=function, interface=interface, kind=kind, **more)


def _archive(name: str, function: Function, kind: str, **more: Any) -> Item:
    return _item(name, function, "archive", kind, role="archive", required=True, **more)


def _answers(role: NodeRole, required: bool = False) -> Item:
    name = f"The {role} answers"
    return _item(name, "connectivity", role, "dicom-echo", role=role, required=required)


def _conforms(role: NodeRole, required: bool = False) -> Item:
    name = f"The {role} takes the SOP classes and transfer syntaxes that are needed"
    settings = {"profile": role}
    return _item(
        name, "conformance", role, "dicom-conformance", role=role, settings=settings, required=required,
        timeout_seconds=LONG_SECONDS,
    )  # fmt: skip


def _calls(caller: NodeRole, role: NodeRole) -> Item:
    return _item(
        f"The {role} lets the {caller} in",
        "connectivity",
        caller if role == "archive" else role,
        "dicom-conformance",
        role=role,
        caller=caller,
        settings={"profile": role, "sop_classes": [VERIFICATION]},
    )


IMPORT = _archive("Images are taken in and come back unchanged", "import", "dicom-roundtrip")
QUERY = _archive("Studies are found", "query_retrieve", "dicom-find")
RETRIEVE = _archive(
    "Images are retrieved by C-GET", "query_retrieve", "dicom-roundtrip", settings={"retrieve": "get"}
).model_copy(update={"required": False})
EXPORT = _archive("Images are sent out by C-MOVE", "export", "dicom-roundtrip", settings={"retrieve": "move"})
REPORTING = _archive(
    "Reports are kept and come back unchanged", "reporting", "dicom-roundtrip", settings={"object": "sr"}
)
COMMITMENT = _archive("The archive commits to what it stored", "import", "dicom-commitment").model_copy(
    update={"required": False, "expectation": Expectation(outcomes=frozenset({"ok"}))}
)
SPEED = _archive("Images come fast", "performance", "dicom-retrieve", timeout_seconds=LONG_SECONDS)
WORKLIST = _item(
    "RIS/EHR answers a worklist query", "query_retrieve", "ris_ehr", "dicom-find", settings={"model": "worklist"}
)
ANSWERS = (_answers("archive", required=True), _answers("modality"), _answers("workstation"))
CONFORMS = (_conforms("archive", required=True), _conforms("modality"), _conforms("workstation"))


def _suite(suite_id: str, name: str, purpose: Purpose, summary: str, *items: Item) -> Suite:
    return Suite(id=suite_id, version=1, site_id=GROUP, name=name, purpose=purpose, summary=summary, items=list(items))


BUILT_IN: Mapping[str, Suite] = {
    suite.id: suite
    for suite in (
        _suite(
            "acceptance",
            "Acceptance",
            "acceptance",
            "Before a system goes into service: every interface answers, images and reports pass through unchanged.",
            *(*ANSWERS, *CONFORMS, IMPORT, QUERY, RETRIEVE, EXPORT, REPORTING, COMMITMENT, SPEED, WORKLIST),
        ),
        _suite(
            "staging",
            "Staging",
            "staging",
            "A new version on the staging system: it speaks what is needed, images and reports pass through unchanged.",
            *(ANSWERS[0], CONFORMS[0], IMPORT, QUERY, EXPORT, REPORTING),
        ),
        _suite(
            "post-change",
            "After a change",
            "post_change",
            "Right after a change: import, export, query/retrieve, reporting and each interface work as before.",
            *(*ANSWERS, IMPORT, QUERY, RETRIEVE, EXPORT, REPORTING, SPEED, WORKLIST),
        ),
        _suite(
            "compatibility",
            "Compatibility",
            "compatibility",
            "Negotiates SOP classes and transfer syntaxes with every node; yields the conformance matrix.",
            *CONFORMS,
        ),
        _suite(
            "network",
            "Network plan",
            "network",
            "Proves each edge of the network plan by an association under the caller's own AE title.",
            *ANSWERS,
            *(_calls("modality", "archive"), _calls("workstation", "archive"), _calls("archive", "workstation")),
        ),
    )
}
