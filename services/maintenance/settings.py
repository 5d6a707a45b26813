"""The settings of maintenance."""

from shared.settings import ServiceSettings


class MaintenanceSettings(ServiceSettings):
    """Maintenance needs nothing beyond what every service does."""
