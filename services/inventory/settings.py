"""The settings of inventory."""

from pydantic import Field

from shared.settings import ServiceSettings


class InventorySettings(ServiceSettings):
    """What inventory needs beyond what every service does."""

    inventory_document_bytes: int = Field(
        25 * 1024 * 1024,
        ge=1024,
        le=1024 * 1024 * 1024,
        description="the largest file that a document may have, in bytes",
        examples=[26_214_400],
    )
    inventory_import_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024,
        le=1024 * 1024 * 1024,
        description="the largest file that an import may have, in bytes",
        examples=[67_108_864],
    )
