"""A system of two drives that is retired over REST, as people and other services would do it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.events.backup import MediaSanitized, MigrationVerified
from tests.harness import Harness, Voice
from tests.integration.inventory.custody.parts import CUSTODY, GREENLOOP, RECYCLERS, register_drive, told
from tests.integration.inventory.earning import ALL_TOLD, done, missing, seal, sign, upload
from tests.integration.inventory.requests import ASSETS, move, post, register_system
from tests.news import until

HEARD = """SELECT EXISTS (SELECT FROM event_facts WHERE subject = $1 AND type IN ('media.sanitized',
                                                                             'migration.verified'))"""
DIGEST = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"


@dataclass
class Retirement:
    """A system on its way out. ``backup`` says what the service of that name would say."""

    steward: Harness
    backup: Voice
    system: dict[str, Any] = field(default_factory=dict)
    drives: list[dict[str, Any]] = field(default_factory=list)

    async def begin(self, drives: int = 2, **changes: Any) -> None:
        """The system and its drives, in service."""
        self.system = await register_system(self.steward, **changes)
        self.drives = [await register_drive(self.steward, self.system, number) for number in range(drives)]

    async def isolate(self) -> None:
        """Migrated as backup says, everything else as people say."""
        self.system = await move(self.steward, self.system, "retiring")
        await self.backup.say(_migrated(), subject=self.system["id"], site_id="north")
        await until(self.steward.pools["inventory"], HEARD, self.system["id"])
        self.system = await move(self.steward, self.system, "migrated", "isolated")
        await self.move_drives("retiring", "migrated", "isolated")

    async def sanitize(self, drives: Sequence[dict[str, Any]], **changes: Any) -> None:
        """Backup has a certificate of each of these drives."""
        for drive in drives:
            certificate = _certificate(self.system, drive, **changes)
            await self.backup.say(certificate, subject=drive["id"], site_id="north")
            await until(self.steward.pools["inventory"], HEARD, drive["id"])
            if certificate.validated and drive["state"] == "isolated":
                assert "sanitization_certificate" not in await missing(self.steward, drive, "sanitized")

    async def hand_over(self) -> None:
        """Both drives go to the recycler and onto its manifest."""
        greenloop = await post(self.steward, RECYCLERS, GREENLOOP)
        links = (
            told(self.drives, "handed_over", "Server room", "IT store"),
            told(self.drives, "sealed", "IT store", "IT store", seal="S-1"),
            told(self.drives, "picked_up", "IT store", "Greenloop Recycling", seal="S-1", recycler_id=greenloop["id"]),
        )
        for link in links:
            done(await self.steward.admin.post(CUSTODY, json=link))
        parts = [{"asset_id": one["id"], "weight_kg": 0.72, "category": "it_equipment"} for one in self.drives]
        manifest = {"recycler_id": greenloop["id"], "reference": "GL-118", "parts": parts}
        await post(self.steward, f"{ASSETS}/{self.system['id']}/disposals", manifest)

    async def dispose(self) -> None:
        """All the way to disposed, the drives closed."""
        await self.isolate()
        await self.finish(self.drives)

    async def finish(self, media: Sequence[dict[str, Any]]) -> None:
        """From isolated to disposed, with a certificate for each of these media."""
        await self.sanitize(media)
        await self.move_drives("sanitized")
        self.system = await move(self.steward, self.system, "sanitized")
        await self.hand_over()
        await self.move_drives("disposed", "closed")
        self.system = await move(self.steward, self.system, "disposed")

    async def close(self) -> dict[str, Any]:
        """Sealed, signed by two, closed; the dossier."""
        dossier = await seal(self.steward, self.system)
        await sign(self.steward, self.system)
        self.system = await move(self.steward, self.system, "closed")
        return dossier

    async def move_drives(self, *states: str) -> None:
        """Each drive goes through the states."""
        self.drives = [await move(self.steward, drive, *states) for drive in self.drives]

    async def ask_to_move(self, asset: dict[str, Any], state: str) -> httpx.Response:
        """The answer to a move."""
        return await self.steward.admin.post(
            f"{ASSETS}/{asset['id']}/transitions",
            json={"to": state, "reason": "it is time"},
            headers={"If-Match": f'"{asset["version"]}"'},
        )

    async def all_told(self) -> None:
        """Waits until the audit trail has told of every step."""
        await until(self.steward.pools["inventory"], ALL_TOLD)

    async def add_document(self) -> dict[str, Any]:
        """A document of the system."""
        return await upload(self.steward, self.system, "report")


def _migrated() -> MigrationVerified:
    return MigrationVerified(
        migration_id="m-1",
        destination_system_id="0198c1f2-6d1c-7a53-9d1f-0c8a3f5d2b98",
        outcome="reconciled",
        detail="each study is alike on both sides",
        studies=1200,
        matched=1200,
        exceptions=0,
        exceptions_signed_by=None,
        verified_at=datetime.now(UTC),
        manifest=DIGEST,
    )


def _certificate(system: dict[str, Any], drive: dict[str, Any], **changes: Any) -> MediaSanitized:
    told: dict[str, Any] = {
        "certificate_id": f"c-{drive['id']}",
        "system_id": system["id"],
        "manufacturer": "Voltara",
        "model": "Spin 4",
        "serial_number": drive["serial"],
        "media_type": "hdd",
        "method": "purge",
        "technique": "cryptographic erase",
        "verified_by": "vera",
        "validated_by": "valentin",
        "validated": True,
        "sanitized_at": datetime.now(UTC),
        "certificate": DIGEST,
    }
    return MediaSanitized.model_validate(told | changes)
