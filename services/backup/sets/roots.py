"""Which paths may be backed up: those below the allowed roots, once links and ``..`` are followed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Malformed

LONGEST = 4000


@dataclass(frozen=True)
class Roots:
    """The allowed roots, and the service's own folders, which a backup must not swallow."""

    allowed: Sequence[Path]
    own: Sequence[Path]

    def resolve(self, path: str) -> str:
        """The real path behind ``path``, which exists now. Touches the disk. Raises Malformed."""
        example = f"{self.allowed[0]}/north"
        if not path.startswith("/") or not path.isprintable() or len(path) > LONGEST:
            raise Malformed("path", f"must be an absolute path of at most {LONGEST} printable characters", example)
        try:
            real = Path(os.path.realpath(path, strict=True))
        except OSError as exc:
            raise Malformed("path", f"can't be found on the backup machine ({exc.strerror})", example) from exc
        if not any(real.is_relative_to(os.path.realpath(root)) for root in self.allowed):
            raise Malformed("path", "must lie below an allowed root, once links are followed", example)
        for own in map(os.path.realpath, self.own):
            if real.is_relative_to(own) or Path(own).is_relative_to(real):
                raise Malformed("path", "must not hold, or lie in, the folders of the backups themselves", example)
        return str(real)
