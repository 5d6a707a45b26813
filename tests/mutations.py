"""How many random changes the tests of verification make, and from which seed.

``STEWARD_MUTATIONS`` says how many, ``STEWARD_MUTATION_SEED`` repeats a run that failed: its number is in the failure.
"""

import os
from random import SystemRandom

COUNT = int(os.environ.get("STEWARD_MUTATIONS", "10000"))


def chosen_seed(share: int) -> int:
    """A seed of its own for each share of a run, or the one that is to be repeated."""
    chosen = os.environ.get("STEWARD_MUTATION_SEED")
    seed = int(chosen) if chosen else SystemRandom().randrange(2**32)
    print(f"share {share}: STEWARD_MUTATION_SEED={seed} repeats it")  # noqa: T201 -- pytest shows it with a failure
    return seed
