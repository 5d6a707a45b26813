"""MDS2 forms (ANSI/NEMA HN 1-2019): what a maker answers about the security of a device, read tolerantly of layout.

Makers move columns, rename sheets and add notes; the numbers of the questions (``AUTH-1.1``) stay. A row counts that
has one, and the column counts as the answers' that has most of the words the form allows.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from services.inventory.documents.domain import SHA256, SYSTEM
from services.inventory.documents.markup import NotTaken
from services.inventory.software.domain import DOCUMENT
from shared.events import Instant

Word = Literal["yes", "no", "not_applicable", "see_note", "text", "none"]
"""``text`` is an answer in words of its own, ``none`` a question without an answer."""

WORDS: Mapping[str, Word] = {
    **dict.fromkeys(("yes", "y"), "yes"),
    **dict.fromkeys(("no", "n"), "no"),
    **dict.fromkeys(("n/a", "na", "not applicable", "none applicable"), "not_applicable"),
    **dict.fromkeys(("see note", "see notes", "see note(s)", "note"), "see_note"),
}
CAPABILITIES: Mapping[str, str] = {
    "ALOF": "automatic logoff",
    "AUDT": "audit controls",
    "AUTH": "authorization",
    "CSUP": "security upgrades",
    "DIDT": "de-identification of health data",
    "DTBK": "backup and disaster recovery",
    "EMRG": "emergency access",
    "IGAU": "integrity and authenticity of health data",
    "MLDP": "protection against malware",
    "NAUT": "authentication of nodes",
    "PAUT": "authentication of persons",
    "PLOK": "physical locks",
    "RDMP": "roadmap for third-party components",
    "SBOM": "software bill of materials",
    "SAHD": "hardening of system and applications",
    "SGUD": "security guidance",
    "STCF": "confidentiality of what is stored",
    "TXCF": "confidentiality of what is sent",
    "TXIG": "integrity of what is sent",
}
"""Sections in which No means that something is lacking. In DOC, MPII, CONN and RMOT it is a fact like any other."""

A_FORMULA = "\x00"
"""Stands for a formula in a row; no text of a workbook holds this character."""

MAX_ROWS = 5000
MAX_TEXT = 2000
FEWEST_ANSWERS = 10
NUMBER = re.compile(r"\s*([A-Z]{3,5})-?\s?(\d{1,2}(?:\.\d{1,2}){0,3})\.?\s*")
NOTE = re.compile(r"\bnotes?\b|comment|remark", re.IGNORECASE)

Row = Sequence[str]
"""The texts of a row's cells, "" for an empty one."""


class Answer(BaseModel):
    """One question answered; ``text`` is the answer as it stands in the form."""

    model_config = ConfigDict(frozen=True)

    question: str = Field(examples=["AUTH-1.1"])
    answer: Word
    text: str = Field(examples=["Yes"])
    note: str = Field(examples=["Note 4: LDAPS only"])


class Lacking(BaseModel):
    """A question on a security capability that is answered No."""

    question: str = Field(examples=["AUTH-1.1"])
    capability: str = Field(examples=["authorization"])
    note: str


class Form(BaseModel):
    """The MDS2 form that counts for an asset. A person judges what is lacking: some questions ask for flaws."""

    model_config = ConfigDict(frozen=True)

    asset_id: str = Field(examples=[SYSTEM])
    site_id: str = Field(examples=["north"])
    document_id: str = Field(examples=[DOCUMENT])
    sha256: str = Field(examples=[SHA256])
    taken_at: Instant
    taken_by: str = Field(examples=["alice"])
    lacking: list[Lacking]
    answers: list[Answer]

    @classmethod
    def of(cls, answers: Sequence[Answer], **facts: str | datetime) -> "Form":
        """A form with what its answers say is lacking."""
        return cls.model_validate({**facts, "answers": answers, "lacking": lacking(answers)})


def lacking(answers: Iterable[Answer]) -> list[Lacking]:
    """The capabilities answered No, in the form's order."""
    return [
        Lacking(question=one.question, capability=CAPABILITIES[section], note=one.note)
        for one in answers
        if one.answer == "no" and (section := one.question.partition("-")[0]) in CAPABILITIES
    ]


class _JsonAnswer(msgspec.Struct, forbid_unknown_fields=True):
    question: str
    answer: str
    note: str = ""


class _JsonForm(msgspec.Struct):
    answers: list[_JsonAnswer]


def read_json(raw: bytes) -> list[Answer]:
    """Reads ``{"answers": [{"question": …, "answer": …, "note": …}]}``. Raises NotTaken."""
    try:
        form = msgspec.json.decode(raw, type=_JsonForm)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise NotTaken(f"must be an MDS2 form: {exc}"[:300]) from exc
    found = []
    for number, one in enumerate(form.answers):
        match = NUMBER.fullmatch(one.question)
        if match is None:
            raise NotTaken(f"must number its questions like AUTH-1.1, not as answers[{number}]")
        found.append(_answer(match, one.answer, one.note))
    return _whole(found)


def read_sheets(sheets: Iterable[Sequence[Row]]) -> list[Answer]:
    """Reads the rows of a workbook's sheets. Raises NotTaken for a workbook that is no MDS2 form."""
    return _whole([answer for rows in sheets for answer in _read_sheet(rows)])


def _whole(answers: Sequence[Answer]) -> list[Answer]:
    first: dict[str, Answer] = {}
    for answer in answers:
        held = first.setdefault(answer.question, answer)
        if held.answer != answer.answer or held.text != answer.text:
            if held.answer == "none":
                first[answer.question] = answer
            elif answer.answer != "none":
                raise NotTaken(f"must answer {answer.question} once, and says {held.text!r} and {answer.text!r}"[:300])
    if sum(answer.text.casefold() in WORDS for answer in first.values()) < FEWEST_ANSWERS:
        raise NotTaken(f"must be an MDS2 form with at least {FEWEST_ANSWERS} questions answered Yes, No or N/A")
    return list(first.values())


def _read_sheet(rows: Sequence[Row]) -> list[Answer]:
    numbered = [(row, column, match) for row in rows for column, match in _numbers(row)]
    if not numbered:
        return []
    place = Counter(column for _, column, _ in numbered).most_common(1)[0][0]
    questions = [(row, match) for row, column, match in numbered if column == place]
    answers = _column_of_answers([row for row, _ in questions], place)
    if answers is None:
        return []
    notes = _column_of_notes(rows, answers)
    for row, match in questions:
        if A_FORMULA in (_cell(row, answers), _cell(row, notes)):
            raise NotTaken(f"must answer {match[0].strip()} by a text, and has a formula there")
    return [_answer(match, _cell(row, answers), _cell(row, notes)) for row, match in questions]


def _numbers(row: Row) -> Iterable[tuple[int, "re.Match[str]"]]:
    for column, text in enumerate(row):
        match = NUMBER.fullmatch(text) if len(text) < 30 else None
        if match is not None:
            yield column, match
            return


def _column_of_answers(rows: Sequence[Row], after: int) -> int | None:
    """The column with most of the form's words; of two with as many, the one further left."""
    words = Counter(
        column for row in rows for column, text in enumerate(row) if column > after and text.strip().casefold() in WORDS
    )
    return min(words, key=lambda column: (-words[column], column)) if words else None


def _column_of_notes(rows: Sequence[Row], answers: int) -> int:
    """The column behind the answers that is headed as notes, or the one next to them."""
    for row in rows:
        for column, text in enumerate(row):
            if column > answers and len(text) < 40 and NOTE.search(text) and text.casefold() not in WORDS:
                return column
    return answers + 1


def _answer(match: "re.Match[str]", text: str, note: str) -> Answer:
    plain = text.strip()[:MAX_TEXT]
    word: Word = WORDS.get(plain.casefold(), "text" if plain else "none")
    return Answer(question=f"{match[1]}-{match[2]}", answer=word, text=plain, note=note.strip()[:MAX_TEXT])


def _cell(row: Row, column: int) -> str:
    return row[column] if column < len(row) else ""
