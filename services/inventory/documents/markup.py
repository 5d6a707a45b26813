"""XML from strangers, walked element by element: no document type, so no entities, and bounded in every direction."""

from collections.abc import Callable, Iterable
from xml.parsers import expat

MAX_DEPTH = 100
MAX_ELEMENTS = 2_000_000
MAX_TEXT = 1024 * 1024

Entered = Callable[[list[str], dict[str, str]], None]
"""Told of an element: the names on the way to it without their namespaces, its own the last; its attributes, and among
them its namespace as ``xmlns``."""

Left = Callable[[list[str], str], None]
"""Told of an element's end, with the text that stood directly in it."""


class NotTaken(Exception):
    """The content is nothing that is taken; the message is a rule of the field ``file``."""


def walk_xml(content: Iterable[bytes], entered: Entered, left: Left = lambda _path, _text: None) -> None:
    """Walks a document. Raises NotTaken for what is no XML, has a document type or a style sheet, or passes a bound."""
    parser = expat.ParserCreate(namespace_separator=" ")
    walk = _Walk(entered, left)
    parser.buffer_text = True
    parser.StartElementHandler = walk.enter
    parser.EndElementHandler = walk.leave
    parser.CharacterDataHandler = walk.hear
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.ProcessingInstructionHandler = _see_instruction
    _feed(parser, content)


def _feed(parser: expat.XMLParserType, content: Iterable[bytes]) -> None:
    try:
        for piece in content:
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, ValueError, LookupError) as exc:
        raise NotTaken(f"must be well-formed XML: {exc}") from exc


def refuse_doctype(content: Iterable[bytes]) -> None:
    """Raises NotTaken for what is no XML or has a document type; looks at nothing else, and so is fast."""
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    _feed(parser, content)


class _Walk:
    def __init__(self, entered: Entered, left: Left) -> None:
        self._entered, self._left = entered, left
        self._path: list[str] = []
        self._texts: list[list[str]] = []
        self._held = self._elements = 0

    def enter(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        self._path.append(local)
        self._texts.append([])
        self._elements += 1
        if len(self._path) > MAX_DEPTH or self._elements > MAX_ELEMENTS:
            raise NotTaken(f"must nest at most {MAX_DEPTH} deep and have at most {MAX_ELEMENTS} elements")
        self._entered(self._path, {**attributes, "xmlns": namespace})

    def leave(self, _: str) -> None:
        text = "".join(self._texts.pop())
        self._held -= len(text)
        self._left(self._path, text.strip())
        self._path.pop()

    def hear(self, text: str) -> None:
        self._held += len(text)
        if self._held > MAX_TEXT:
            raise NotTaken(f"must hold at most {MAX_TEXT} characters between two elements")
        self._texts[-1].append(text)


def _refuse_doctype(*_: object) -> None:
    raise NotTaken("must have no document type: entities are not taken")


def _see_instruction(target: str, _: str) -> None:
    if target != "xml":
        raise NotTaken("must have no processing instruction, such as a style sheet")
