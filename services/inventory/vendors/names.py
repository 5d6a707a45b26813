"""Names of vendors and products: when two spellings are one, and when that is for a person to say.

Case, punctuation and the legal form of a company never matter. Anything else does: that "Phillips" is "Philips" is an
alias that somebody has entered, not a guess.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

LEGAL_FORMS = frozenset(
    {
        *("ab", "ag", "aps", "as", "asa", "bv", "co", "company", "corp", "corporation", "gmbh", "inc", "incorporated"),
        *("kg", "kgaa", "kk", "limited", "llc", "llp", "lp", "ltd", "mbh", "nv", "oy", "oyj", "plc", "pte", "pty"),
        *("sa", "sarl", "sas", "se", "sl", "spa", "srl", "ug"),
    }
)
_ACRONYM = re.compile(r"(?<!\w)(?:\w\.)+\w?(?!\w)")
_NO_WORD = re.compile(r"[\W_]+")


def spelling_of_product(name: str) -> str:
    """What two spellings of one product have in common."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    joined = _ACRONYM.sub(lambda match: match[0].replace(".", ""), plain)
    return _NO_WORD.sub(" ", joined).strip() or plain.strip()


@lru_cache(1024)
def spelling_of_vendor(name: str) -> str:
    """What two spellings of one vendor have in common; the legal form at its end is none of it."""
    words = spelling_of_product(name).split()
    while len(words) > 1 and words[-1] in LEGAL_FORMS:
        words.pop()
    return " ".join(words)


def distinct(name: str, aliases: Iterable[str], by_product: bool = False) -> list[str]:
    """The aliases that say another thing than the name and those before them."""
    spelling = spelling_of_product if by_product else spelling_of_vendor
    seen = {spelling(name)}
    kept = []
    for alias in aliases:
        if spelling(alias) not in seen:
            seen.add(spelling(alias))
            kept.append(alias)
    return kept


@dataclass(frozen=True)
class Makers:
    """Vendors of the catalogue, by the spellings of their names and by their products."""

    spellings: Mapping[str, str] = field(default_factory=dict)
    products: Mapping[str, str] = field(default_factory=dict)

    def vendor_of(self, name: str | None, product_id: str | None) -> str | None:
        """The id of the vendor whose product a thing is, or else of the one that goes by the maker's name."""
        if product_id is not None and product_id in self.products:
            return self.products[product_id]
        return self.spellings.get(spelling_of_vendor(name)) if name else None

    @cached_property
    def spellings_of(self) -> Mapping[str, Sequence[str]]:
        """All spellings of each vendor."""
        found: dict[str, list[str]] = defaultdict(list)
        for spelling, vendor_id in self.spellings.items():
            found[vendor_id].append(spelling)
        return found
