"""The settings of `steward migrate`."""

from pydantic import Field

from shared.settings import BusSettings, Dsn


class MigrateSettings(BusSettings):
    """What `steward migrate` needs: the owner's login, and the passwords that the services' roles get."""

    admin_database: Dsn = Field(
        description="database and login of who owns the schemas and may create roles",
        examples=["postgresql://steward_owner:secret@db:5432/steward"],
    )
    inventory_role_password: str | None = Field(None, description="password for steward_inventory", examples=["secret"])
    maintenance_role_password: str | None = Field(
        None, description="password for steward_maintenance", examples=["secret"]
    )
    probes_role_password: str | None = Field(None, description="password for steward_probes", examples=["secret"])
    backup_role_password: str | None = Field(None, description="password for steward_backup", examples=["secret"])
    compliance_role_password: str | None = Field(
        None, description="password for steward_compliance", examples=["secret"]
    )
    notifier_role_password: str | None = Field(None, description="password for steward_notifier", examples=["secret"])
    bus_role_password: str | None = Field(None, description="password for steward_bus", examples=["secret"])

    def password_of(self, schema: str) -> str | None:
        """The password that the role of ``schema`` gets; None leaves it as it is."""
        password: str | None = getattr(self, f"{schema}_role_password")
        return password
