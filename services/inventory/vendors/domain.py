"""Rules of vendors and their products, and what is known of how long a version is supported."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.inventory.vendors.versions import compare
from shared.events import GROUP
from shared.events.inventory import ComponentType
from shared.resource import Body, Day, Id, Line, Resource

ProductType = Literal["system", ComponentType]
Aliases = Annotated[list[Line], Field(max_length=50)]
Cpe = Annotated[
    str, StringConstraints(pattern=r"^cpe:2\.3:[aho*-](:([\x21-\x39\x3b-\x5b\x5d-\x7e]|\\[\x21-\x7e])+){10}$")
]
"""A formatted string of CPE 2.3 (NISTIR 7695 §6.2)."""

Purl = Annotated[str, StringConstraints(pattern=r"^pkg:[A-Za-z][A-Za-z0-9.+-]*/[\x21-\x7e]+$", max_length=500)]
"""A package URL."""

PRODUCT_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b21"
VENDOR_ID = "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b20"


class _Stated(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SupportEndsOn(_Stated):
    """The vendor has named the last day of support."""

    state: Literal["ends_on"] = "ends_on"
    on: Day
    source: Line = Field(examples=["Lifecycle notice LN-2025-11"])
    stated_on: Day


class SupportNotAnnounced(_Stated):
    """The vendor supports it and has announced no end: that is known, and not the same as knowing nothing."""

    state: Literal["not_announced"] = "not_announced"
    source: Line
    stated_on: Day


class SupportUnknown(_Stated):
    """Nobody knows; where somebody asked in vain, whom and when."""

    state: Literal["unknown"] = "unknown"
    source: Line | None = None
    stated_on: Day | None = None


SupportEnd = Annotated[SupportEndsOn | SupportNotAnnounced | SupportUnknown, Field(discriminator="state")]
"""Until when something is supported, who says so, and since when that is known."""


class VendorDetails(Body):
    """All that can change about a vendor."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Northlight Imaging GmbH", "aliases": ["Nordlicht Bildtechnik"]}]}
    )

    name: Line
    aliases: Aliases = Field(default_factory=list, description="other names of the vendor, as a person knows them")


class ProductDetails(Body):
    """All that can change about a product. ``support`` is that of each version which has none of its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "vendor_id": VENDOR_ID,
                    "name": "Archive One",
                    "aliases": ["ArchiveOne"],
                    "type": "system",
                    "cpe": "cpe:2.3:a:northlight:archive_one:*:*:*:*:*:*:*:*",
                    "support": {"state": "unknown"},
                }
            ]
        }
    )

    vendor_id: Id
    name: Line
    aliases: Aliases = Field(default_factory=list)
    type: ProductType
    cpe: Cpe | None = None
    purl: Purl | None = None
    support: SupportEnd = SupportUnknown()


class VersionDetails(Body):
    """All that can change about a version of a product."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "product_id": PRODUCT_ID,
                    "number": "5.2.1",
                    "released_on": "2024-05-14",
                    "support": {
                        "state": "ends_on",
                        "on": "2028-12-31",
                        "source": "Lifecycle notice LN-2025-11",
                        "stated_on": "2025-11-03",
                    },
                }
            ]
        }
    )

    product_id: Id
    number: Line = Field(description="the version as the vendor writes it")
    released_on: Day | None = None
    support: SupportEnd = SupportUnknown()


class _Shared(Resource):
    id: str
    site_id: str = Field(GROUP, description="always the group: all sites share the catalogue")


class Vendor(_Shared):
    """Who makes or services what the group has."""

    name: str = Field(examples=["Northlight Imaging GmbH"])
    aliases: list[str]


class Product(_Shared):
    """What a vendor sells under one name."""

    vendor_id: str
    name: str = Field(examples=["Archive One"])
    aliases: list[str]
    type: ProductType
    cpe: str | None
    purl: str | None
    support: SupportEnd


class ProductVersion(_Shared):
    """One version of a product, with what its vendor has said of its support."""

    product_id: str
    number: str = Field(examples=["5.2.1"])
    released_on: date | None
    support: SupportEnd


def support_among(product: Product, versions: Iterable[ProductVersion], number: str) -> SupportEnd:
    """What is known of a version: its own statement, that of another spelling of it, or the product's."""
    same = [version for version in versions if compare(version.number, number) == 0]
    for version in sorted(same, key=lambda version: version.number != number):
        if not isinstance(version.support, SupportUnknown):
            return version.support
    return product.support
