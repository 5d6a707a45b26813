"""Writes docs/asyncapi.json anew, unless that would break what it promised before.

``python -m services.console.contracts.publish``
"""

import json
import sys
from pathlib import Path

from services.console.contracts.asyncapi import asyncapi_document
from services.console.contracts.compatibility import broken_promises

PUBLISHED = Path(__file__).parents[3] / "docs" / "asyncapi.json"


def main() -> None:
    """Exits with the broken promises, and leaves the file alone, unless the contracts only grew."""
    current = asyncapi_document()
    if PUBLISHED.exists():
        broken = broken_promises(json.loads(PUBLISHED.read_text()), current)
        if broken:
            sys.exit("Make a new version of the contract instead:\n" + "\n".join(broken))
    PUBLISHED.write_text(as_text(current))


def as_text(document: object) -> str:
    """The document as it stands in the file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
