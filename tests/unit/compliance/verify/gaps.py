"""Logs whose first entries were pruned."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from services.compliance.log.append import grow
from services.compliance.log.domain import Growth, State
from services.compliance.log.hashing import fold, leaf_hashes
from services.compliance.verify.domain import Gap
from shared.events.compliance import LogPruned
from tests.unit.compliance.verify.grown import BEGIN, Grown, arrival, arrival_of

GAP: Gap = (0, 512)
PLACE = "file:///archive"
ALL = ("north", "south", "rare")
FULL = ALL * 180
SHORT = (*(ALL * 170), "north", "north", "north")
"""Behind the gap, only one site has an entry before the first manifest."""


def log_of(*batches: Sequence[str], skips: int = 0) -> Grown:
    """A log whose batches have entries of these sites, with a manifest behind each; the last tells of the pruning.

    Behind the first one, the site ``rare`` leaves out so many of its numbers.
    """
    growths: list[Growth] = []
    state = State(types={"probe.result": 0})
    for number, sites in enumerate((*batches, ())):
        arrivals = [arrival(state.size + place, site) for place, site in enumerate(sites)]
        if not sites:
            root = fold(leaf_hashes(Grown(growths).entries[slice(*GAP)])).hex()
            told = LogPruned(first=GAP[0], end=GAP[1], root=root, location=PLACE, asked_by="anna")
            arrivals = [arrival_of(told, 9000, "group")]
        if number == 1:
            rare = state.sites["rare"]
            rare = replace(rare, next_sequence=rare.next_sequence + skips)
            state = replace(state, sites={**state.sites, "rare": rare})
        growths.append(grow(state, arrivals, BEGIN + timedelta(minutes=number), f"manifest-{number}"))
        state = growths[-1].after
    return Grown(growths)
