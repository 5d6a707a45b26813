"""Vendors, their products and versions over HTTP: seen by all, changed for the whole group."""

from typing import Annotated

from fastapi import APIRouter

from services.inventory.vendors import handlers, store
from services.inventory.vendors.domain import (
    Product,
    ProductDetails,
    ProductType,
    ProductVersion,
    Vendor,
    VendorDetails,
    VersionDetails,
)
from shared.http import Call, IfMatch, Page, Paging, requires
from shared.resource import Id, Line

router = APIRouter(prefix="/v1", tags=["vendors"])


@router.post("/vendors", status_code=201)
async def register_vendor(body: VendorDetails, call: Annotated[Call, requires("group-admin")]) -> Vendor:
    """Registers a vendor with the names that it goes by."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.register_vendor, body)


@router.get("/vendors")
async def list_vendors(
    call: Annotated[Call, requires("viewer")], paging: Paging, search: Line | None = None
) -> Page[Vendor]:
    """The vendors, or those with ``search`` in a name or alias; case, punctuation and legal form don't matter."""
    async with call.read() as conn:
        found = await store.select_vendors(conn, search, paging.after, paging.limit + 1)
    return paging.page(found, lambda vendor: vendor.id)


@router.get("/vendors/{vendor_id}")
async def get_vendor(vendor_id: Id, call: Annotated[Call, requires("viewer")]) -> Vendor:
    """The vendor, with the ETag that its next change must name."""
    async with call.read() as conn:
        return call.tag(await store.select_vendor(conn, vendor_id))


@router.put("/vendors/{vendor_id}")
async def change_vendor(
    vendor_id: Id, body: VendorDetails, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> Vendor:
    """Changes a vendor."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.change_vendor, vendor_id, version, body)


@router.post("/products", status_code=201)
async def register_product(body: ProductDetails, call: Annotated[Call, requires("group-admin")]) -> Product:
    """Registers a product of a vendor."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.register_product, body)


@router.get("/products")
async def list_products(
    call: Annotated[Call, requires("viewer")],
    paging: Paging,
    vendor_id: Id | None = None,
    type: ProductType | None = None,
    search: Line | None = None,
) -> Page[Product]:
    """The products, or those of a vendor, of a type, or with ``search`` in a name or alias."""
    async with call.read() as conn:
        found = await store.select_products(conn, vendor_id, type, search, paging.after, paging.limit + 1)
    return paging.page(found, lambda product: product.id)


@router.get("/products/{product_id}")
async def get_product(product_id: Id, call: Annotated[Call, requires("viewer")]) -> Product:
    """The product, with the ETag that its next change must name."""
    async with call.read() as conn:
        return call.tag(await store.select_product(conn, product_id))


@router.put("/products/{product_id}")
async def change_product(
    product_id: Id, body: ProductDetails, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> Product:
    """Changes a product; all but its vendor can be changed."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.change_product, product_id, version, body)


@router.post("/product-versions", status_code=201)
async def register_version(body: VersionDetails, call: Annotated[Call, requires("group-admin")]) -> ProductVersion:
    """Registers a version of a product, with what its vendor says of its support."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.register_version, body)


@router.get("/product-versions")
async def list_versions(
    call: Annotated[Call, requires("viewer")], paging: Paging, product_id: Id | None = None
) -> Page[ProductVersion]:
    """The versions of a product, or of all."""
    async with call.read() as conn:
        found = await store.select_versions(conn, product_id, paging.after, paging.limit + 1)
    return paging.page(found, lambda version: version.id)


@router.get("/product-versions/{version_id}")
async def get_version(version_id: Id, call: Annotated[Call, requires("viewer")]) -> ProductVersion:
    """The version, with the ETag that its next change must name."""
    async with call.read() as conn:
        return call.tag(await store.select_version(conn, version_id))


@router.put("/product-versions/{version_id}")
async def change_version(
    version_id: Id, body: VersionDetails, call: Annotated[Call, requires("group-admin")], version: IfMatch
) -> ProductVersion:
    """Changes a version, mostly because its vendor has said something new of its support."""
    call.caller.require_everywhere("group-admin")
    return await call.run(handlers.change_version, version_id, version, body)
