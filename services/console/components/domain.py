"""What the page of components shows, and which words can be looked up."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from services.console.answers import Part, troubles_of
from services.console.assets.domain import Asset
from services.console.overview.domain import Site

_SEARCHABLE = re.compile(r"\w{3}")


@dataclass(frozen=True)
class Chosen:
    """What the visitor looks for."""

    words: str | None
    site_id: str | None

    @property
    def is_too_short(self) -> bool:
        """Whether inventory could look nothing up: no word has three letters or digits in a row."""
        return self.words is not None and not _SEARCHABLE.search(self.words)


@dataclass(frozen=True)
class ComponentsView:
    """The whole page."""

    sites: Mapping[str, Site]
    components: Part[Asset]
    troubles: tuple[str, ...]

    def site_name(self, site_id: str) -> str:
        """What people call the site."""
        return self.sites[site_id].name if site_id in self.sites else site_id


def put_together(sites: Part[Site], components: Part[Asset]) -> ComponentsView:
    """The page."""
    return ComponentsView({site.id: site for site in sites.items}, components, troubles_of(sites, components))
