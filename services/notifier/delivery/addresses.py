"""To and from whom mail goes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Party:
    """Someone with a mail address."""

    name: str
    address: str
