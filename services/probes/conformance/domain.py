"""The conformance matrix: which SOP class a peer takes in which transfer syntax, which of them are needed, and diffs.

The numbers of results are those of PS3.8 Table 9-18; SOP classes are listed by modality as PS3.4 §B.5 names them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field
from pydicom.uid import UID

from services.probes.kinds.domain import Observation
from services.probes.kinds.storage_classes import (
    COMMITMENT,
    PATIENT_ROOT_FIND,
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    PERFORMED_STEP,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
    USUAL,
    VERIFICATION,
    WORKLIST_FIND,
    Modality,
    Uid,
    classes_of,
)
from shared.events import Instant
from shared.events.inventory import NodeRole

MOST_CONTEXTS = 128
"""What one association can carry: context ids are the odd numbers of a byte (PS3.8 §9.3.2.2)."""

ACCEPTED = 0
WHY = {
    0: "accepted",
    1: "rejected by the peer's application",
    2: "rejected, no reason given",
    3: "abstract syntax not supported",
    4: "transfer syntaxes not supported",
}
UNANSWERED = 255
"""Stands for a context that the peer said nothing about."""

NEEDED_SERVICES: Mapping[NodeRole, tuple[str, ...]] = {
    "archive": (VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE),
    "modality": (VERIFICATION,),
    "workstation": (VERIFICATION,),
}
ALL_SERVICES: Mapping[NodeRole, tuple[str, ...]] = {
    "archive": (
        *(VERIFICATION, STUDY_ROOT_FIND, STUDY_ROOT_MOVE, STUDY_ROOT_GET),
        *(PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET, COMMITMENT, PERFORMED_STEP, WORKLIST_FIND),
    ),
    "modality": (VERIFICATION,),
    "workstation": (VERIFICATION,),
}
"""Services that are asked for, needed or not; a workstation and a modality are asked for them only where they serve."""

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
UNCOMPRESSED = (IMPLICIT, EXPLICIT)
USUAL_SYNTAXES = (
    *(IMPLICIT, EXPLICIT, "1.2.840.10008.1.2.5"),
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80"),
    *("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"),
)


class Profile(BaseModel):
    """What a peer of a role is asked for, and what of that it must take.

    Every storage class of ``modalities`` is asked for in each of ``transfer_syntaxes``, and services uncompressed. Of
    an archive all that storage is needed in ``required_transfer_syntaxes``; ``needed`` names more. ``sop_classes``
    asks for these and nothing else, all of them needed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: NodeRole = "archive"
    modalities: tuple[Modality, ...] = USUAL
    transfer_syntaxes: tuple[Uid, ...] = Field(USUAL_SYNTAXES, min_length=1, max_length=40)
    required_transfer_syntaxes: tuple[Uid, ...] = Field((IMPLICIT,), min_length=1, max_length=40)
    needed: tuple[Uid, ...] = Field((), max_length=200)
    sop_classes: tuple[Uid, ...] | None = Field(None, min_length=1, max_length=200)


@dataclass(frozen=True, slots=True)
class Proposal:
    """One SOP class in one transfer syntax, and whether the peer must take it."""

    sop_class: str
    transfer_syntax: str
    is_needed: bool


class Cell(BaseModel):
    """What a peer said to one SOP class in one transfer syntax; ``result`` is that of PS3.8 Table 9-18."""

    model_config = ConfigDict(frozen=True)

    sop_class: str = Field(examples=["1.2.840.10008.5.1.4.1.1.2"])
    sop_class_name: str = Field(examples=["CT Image Storage"])
    transfer_syntax: str = Field(examples=["1.2.840.10008.1.2"])
    transfer_syntax_name: str = Field(examples=["Implicit VR Little Endian"])
    needed: bool
    accepted: bool
    result: int
    why: str

    @property
    def is_missing(self) -> bool:
        """Whether it is needed and was refused."""
        return self.needed and not self.accepted


@dataclass(frozen=True, slots=True)
class Negotiated(Observation):
    """What one negotiation saw, with the whole matrix."""

    cells: tuple[Cell, ...] = ()
    ae_title: str = ""
    calling_ae_title: str = ""


class MatrixSummary(BaseModel):
    """One negotiation with one peer: how much it accepted and refused; ``missing`` is needed and refused."""

    model_config = ConfigDict(frozen=True)

    id: str
    run_id: str
    position: int
    subject: str | None
    subject_name: str
    site_id: str
    ae_title: str
    calling_ae_title: str
    taken_at: Instant
    accepted: int
    refused: int
    missing: int


class Matrix(MatrixSummary):
    """One negotiation with one peer, with every answer."""

    cells: list[Cell]


class Difference(BaseModel):
    """What a peer says otherwise than before; ``before`` or ``after`` is null where it was not asked then."""

    model_config = ConfigDict(frozen=True)

    sop_class: str
    sop_class_name: str
    transfer_syntax: str
    transfer_syntax_name: str
    before: str | None = Field(examples=["accepted"])
    after: str | None = Field(examples=["abstract syntax not supported"])
    needed: bool


def proposals(profile: Profile) -> list[Proposal]:
    """All that is to be asked for, each pair once."""
    found: dict[tuple[str, str], bool] = {}
    for proposal in _proposals(profile):
        pair = (proposal.sop_class, proposal.transfer_syntax)
        found[pair] = found.get(pair, False) or proposal.is_needed
    return [Proposal(*pair, is_needed) for pair, is_needed in found.items()]


def _proposals(profile: Profile) -> Iterator[Proposal]:
    required = profile.required_transfer_syntaxes
    if profile.sop_classes is not None:
        yield from _each(profile.sop_classes, required, profile.sop_classes, required)
        return
    services = ALL_SERVICES[profile.profile]
    yield from _each(services, UNCOMPRESSED, {*NEEDED_SERVICES[profile.profile], *profile.needed}, (IMPLICIT,))
    stored = classes_of(profile.modalities)
    needed = {*profile.needed, *(stored if profile.profile == "archive" else ())}
    asked = [*stored, *(sop_class for sop_class in profile.needed if sop_class not in services)]
    yield from _each(asked, (*required, *profile.transfer_syntaxes), needed, required)


def _each(
    sop_classes: Iterable[str], syntaxes: Iterable[str], needed: Collection[str], required: Collection[str]
) -> Iterator[Proposal]:
    for sop_class in sop_classes:
        for syntax in syntaxes:
            yield Proposal(sop_class, syntax, sop_class in needed and syntax in required)


def spread(asked: Sequence[Proposal]) -> list[Sequence[Proposal]]:
    """The proposals over as few associations as carry them."""
    return [asked[start : start + MOST_CONTEXTS] for start in range(0, len(asked), MOST_CONTEXTS)]


def cell(proposal: Proposal, result: int) -> Cell:
    """What the peer's answer to a proposal means."""
    return Cell(
        sop_class=proposal.sop_class,
        sop_class_name=UID(proposal.sop_class).name,
        transfer_syntax=proposal.transfer_syntax,
        transfer_syntax_name=UID(proposal.transfer_syntax).name,
        needed=proposal.is_needed,
        accepted=result == ACCEPTED,
        result=result,
        why=WHY.get(result, "not answered" if result == UNANSWERED else f"reserved result {result}"),
    )


def differences(before: Sequence[Cell], after: Sequence[Cell]) -> list[Difference]:
    """What the later matrix says otherwise than the earlier one, in the later one's order, then what it left out."""
    old, new = ({(one.sop_class, one.transfer_syntax): one for one in cells} for cells in (before, after))
    found = []
    for pair in dict.fromkeys((*new, *old)):
        was, now = old.get(pair), new.get(pair)
        if (was and was.why) != (now and now.why):
            shown = now or was
            if shown is not None:
                told = {"before": was and was.why, "after": now and now.why}
                found.append(Difference.model_validate({**shown.model_dump(), **told}))
    return found
