"""The settings of compliance."""

from shared.settings import ServiceSettings


class ComplianceSettings(ServiceSettings):
    """Compliance needs nothing beyond what every service does."""
