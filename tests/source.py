"""Reads the project's own source, so that rules about it can be tests."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Module:
    """One Python file; ``name`` is what an import calls it, ``path`` is relative to the repository."""

    name: str
    path: str

    @property
    def text(self) -> str:
        """Its source."""
        return (ROOT / self.path).read_text()

    @property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return _parse(self.path)

    @property
    def stem(self) -> str:
        """Its file name without ``.py``."""
        return Path(self.path).stem

    @property
    def service(self) -> str | None:
        """The service that it belongs to, if any."""
        parts = Path(self.path).parts
        return parts[1] if parts[0] == "services" and len(parts) > 2 else None

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of everything that it imports, also inside functions: ``shared.events.Event``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call with the dotted name of what is called, as far as it is written as names: ``datetime.now``."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node, _dotted(node.func)

    def strings(self) -> Iterator[tuple[int, str]]:
        """Line and value of every string that is no docstring; of an f-string, its constant pieces."""
        docstrings = {id(node.value) for node in ast.walk(self.tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield node.lineno, node.value


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """All Python files below ``folders``, which are relative to the repository."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return tuple(_module(path.relative_to(ROOT)) for path in paths)


def is_within(name: str, package: str) -> bool:
    """Whether the dotted ``name`` is ``package`` or lies in it."""
    return name == package or name.startswith(f"{package}.")


def _module(path: Path) -> Module:
    parts = path.with_suffix("").parts
    return Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), str(path))


@cache
def _parse(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), path)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
