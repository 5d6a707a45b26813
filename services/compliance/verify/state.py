"""How far a verifier has come: what it keeps of a verified log, so that the next time it reads only what came after."""

from pathlib import Path

import msgspec

from services.compliance.log.tree import Edge
from services.compliance.verify.domain import BUNDLE
from shared.errors import WrongSetting


class State(msgspec.Struct, frozen=True):
    """A log that was verified up to ``size`` entries, where its root was ``root``.

    ``tiles`` is the edge of the tree over its complete bundles; ``heads`` and ``recorded_at`` are those behind the last
    complete bundle, where the next verification begins, so that no entry between is taken on trust.
    """

    origin: str
    size: int
    root: bytes
    tiles: tuple[bytes, ...]
    heads: dict[str, int]
    recorded_at: str

    @property
    def begin(self) -> int:
        """The entry at which the next verification begins."""
        return self.size - self.size % BUNDLE

    @property
    def edge(self) -> Edge:
        """The tree over the complete bundles."""
        return Edge(self.size // BUNDLE, self.tiles)


def read_state(path: Path) -> State | None:
    """The state that was kept in ``path``; None when there is no such file yet. Raises WrongSetting."""
    try:
        state = msgspec.json.decode(path.read_bytes(), type=State)
        _ = state.edge
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, ValueError) as exc:
        raise WrongSetting(f"{path} is not what a verification kept: {exc}; without it, all is read anew") from exc
    return state


def write_state(path: Path, state: State) -> None:
    """Keeps the state in ``path``, whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state)))
    fresh.replace(path)
