"""The settings of inventory."""

from shared.settings import ServiceSettings


class InventorySettings(ServiceSettings):
    """Inventory needs nothing beyond what every service does."""
