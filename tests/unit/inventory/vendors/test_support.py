"""Until when a version is supported: three answers that are never taken for each other."""

from datetime import date
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from services.inventory.vendors.domain import (
    Product,
    ProductDetails,
    ProductVersion,
    SupportEnd,
    SupportEndsOn,
    SupportNotAnnounced,
    SupportUnknown,
    support_among,
)
from shared.events import GROUP

END: TypeAdapter[SupportEnd] = TypeAdapter(SupportEnd)
SAID = {"source": "Lifecycle notice 11", "stated_on": "2025-11-03"}
ENDS = SupportEndsOn(on=date(2028, 12, 31), source="Notice 11", stated_on=date(2025, 11, 3))
SUPPORTED = SupportNotAnnounced(source="Mail of 3 March", stated_on=date(2026, 3, 3))


def product(support: SupportEnd) -> Product:
    """A product with that support."""
    return Product(
        id="p", vendor_id="v", name="P", aliases=[], type="system", cpe=None, purl=None, support=support, version=1
    )


def version(number: str, support: SupportEnd) -> ProductVersion:
    """A version of it."""
    return ProductVersion(id=number, product_id="p", number=number, released_on=None, support=support, version=1)


def test_each_state_is_read_as_itself() -> None:
    """A date, "supported without an announced end", and "nobody knows"."""
    assert isinstance(END.validate_python({"state": "ends_on", "on": "2028-12-31", **SAID}), SupportEndsOn)
    assert isinstance(END.validate_python({"state": "not_announced", **SAID}), SupportNotAnnounced)
    assert isinstance(END.validate_python({"state": "unknown"}), SupportUnknown)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "ends_on", **SAID},
        {"state": "ends_on", "on": "2028-12-31"},
        {"state": "ends_on", "on": 20281231, **SAID},
        {"state": "ends_on", "on": "0001-01-01", **SAID},
        {"state": "not_announced"},
        {"state": "not_announced", "on": "2028-12-31", **SAID},
        {"state": "unknown", "on": "2028-12-31"},
        {"state": "soon"},
        {},
    ],
)
def test_what_mixes_them_is_refused(wrong: dict[str, Any]) -> None:
    """No end without a date, none with one and "not announced", no statement without source and date."""
    with pytest.raises(ValidationError):
        END.validate_python(wrong)


def test_a_versions_own_statement_comes_before_the_products() -> None:
    """In any spelling of the version; without one of its own, the product's holds."""
    known = [version("5.2", ENDS), version("5.3", SupportUnknown())]
    assert support_among(product(SUPPORTED), known, "v5.2.0") == ENDS
    assert support_among(product(SUPPORTED), known, "5.3") == SUPPORTED
    assert support_among(product(SUPPORTED), known, "6") == SUPPORTED
    assert support_among(product(SupportUnknown()), known, "6") == SupportUnknown()


def test_the_exact_spelling_comes_first() -> None:
    """Where two spellings of a version are recorded, that of the question is asked."""
    known = [version("5.2", ENDS), version("5.2.0", SUPPORTED)]
    assert support_among(product(SupportUnknown()), known, "5.2.0") == SUPPORTED
    assert support_among(product(SupportUnknown()), known, "5.2") == ENDS


@pytest.mark.parametrize("cpe", ["cpe:/a:v:p", "cpe:2.3:a:v:p", "cpe:2.3:x:v:p:*:*:*:*:*:*:*:*", "CPE"])
def test_only_formatted_strings_of_cpe_are_taken(cpe: str) -> None:
    """Of version 2.3, with all eleven parts."""
    with pytest.raises(ValidationError):
        ProductDetails.model_validate(
            {"vendor_id": "0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b20", "name": "P", "type": "system", "cpe": cpe}
        )


def test_the_catalogue_belongs_to_the_group() -> None:
    """Whatever site asks."""
    assert product(SUPPORTED).site_id == version("1", SUPPORTED).site_id == GROUP
