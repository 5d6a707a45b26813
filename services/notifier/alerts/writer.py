"""Puts an alert's notice into words, right before it is sent."""

from dataclasses import dataclass
from datetime import datetime

from services.notifier.alerts import store
from services.notifier.alerts.domain import REVISIONS, KnownAlert, Told, TurnForWorse
from services.notifier.alerts.wording import AlertWords, alert_content, alert_thread
from services.notifier.audience import handlers as audience
from services.notifier.audience.domain import Place, current_name
from services.notifier.delivery.addresses import Party
from services.notifier.delivery.domain import Claimed, Withheld
from services.notifier.delivery.message import Letter
from shared.database import Connection
from shared.events.alerts import AlertRaised, AlertResolved, AlertTransitioned, Severity


@dataclass(frozen=True)
class AlertWriter:
    """Writes mails that name ``contact`` as the one to call."""

    contact: str

    async def write(self, conn: Connection, claimed: Claimed, reader: Party, now: datetime) -> Letter | Withheld:
        """The letter that says that the alert was raised, that it has become worse, or that it is over."""
        notice = claimed.notice
        alert = await store.select_alert(conn, notice.about)
        turn = next((turn for turn, revision in REVISIONS.items() if revision == notice.revision), None)
        told = _told(alert, notice.kind == "alert_resolved", turn) if alert else None
        if alert is None or told is None:
            return Withheld("nothing is known of this alert", is_lost=True)
        place = await audience.find_place(conn, alert.site_id)
        names = await audience.asset_names(conn, [asset for asset in (alert.asset_id, told.system_id) if asset])
        words = self._words(alert, told, place, _affected(alert.asset_id, told, names), turn)
        return Letter(alert_thread(alert.id), alert_content(words))

    def _words(
        self, alert: KnownAlert, told: Told, place: Place, affected: str, turn: TurnForWorse | None
    ) -> AlertWords:
        is_over = isinstance(told, AlertResolved)
        return AlertWords(
            alert_id=alert.id,
            site_name=place.name,
            time_zone=place.time_zone,
            asset_name=affected,
            check=told.check,
            severity=_severity(alert, told),
            summary=told.summary,
            since=_since(alert, told),
            contact=self.contact,
            resolved_at=told.resolved_at if isinstance(told, AlertResolved) else None,
            persisted_past_window=alert.raised is not None and alert.raised.persisted_past_window and not is_over,
            flapping=isinstance(told, AlertRaised) and told.flapping,
            turn=turn,
        )


def _told(alert: KnownAlert, is_over: bool, turn: TurnForWorse | None) -> Told | None:
    if is_over:
        return alert.resolved
    return alert.turns.get(turn) if turn else alert.raised


def _severity(alert: KnownAlert, told: Told) -> Severity:
    if isinstance(told, AlertTransitioned) and told.severity:
        return told.severity
    return alert.raised.severity if alert.raised else "warning"


def _since(alert: KnownAlert, told: Told) -> datetime:
    if isinstance(told, AlertResolved):
        return told.raised_at
    if isinstance(told, AlertRaised):
        return told.since
    return alert.raised.since if alert.raised else told.at


def _affected(asset_id: str, told: Told, names: dict[str, str]) -> str:
    """The asset by name, with the system that it belongs to where that is another thing."""
    asset = current_name(asset_id, told.asset_name, names)
    system = names.get(told.system_id or "", asset)
    return asset if system == asset else f"{asset} ({system})"
