"""The kind ``tls``: what a peer shows in a TLS handshake, and whether that can be trusted."""

import asyncio
import ssl
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar, Literal, cast

from pydantic import ConfigDict, Field

from services.probes.kinds.asking import NETWORK_FAILURES, TLS_FAILURES, Asking
from services.probes.kinds.attempt import Attempt, Ended
from services.probes.kinds.certificates import certificates_of, days_left, facts_of, now
from services.probes.kinds.domain import Measure, Observation
from services.probes.kinds.network import Host, Port, connected
from services.probes.kinds.trust import Trust, context_of, lax_context

EXPIRY = {
    "expires_in_days": Measure("days", "lower", "until the peer's certificate expires", 30, 7),
    "chain_expires_in_days": Measure("days", "lower", "until the first certificate that it shows expires", 30, 7),
}
_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}
_AS_SHOWN = {"TLSv1": "1.0", "TLSv1.1": "1.1", "TLSv1.2": "1.2", "TLSv1.3": "1.3"}
_TO_LOOK_AT = {"tls_expired", "tls_not_yet_valid", "tls_untrusted", "tls_name", "tls_version"}


class TlsSettings(Trust):
    """Where TLS is spoken from the first byte: HTTPS, DICOM with TLS (port 2762), LDAPS, MLLP with TLS."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"host": "pacs.north.example.org", "port": 2762}]}
    )

    host: Host
    port: Port = Field(443, description="TCP port", examples=[2762])
    server_name: Host | None = Field(
        None, description="name to ask for and to find in the certificate; by default the host"
    )
    minimum_version: Literal["1.0", "1.1", "1.2", "1.3"] = Field(
        "1.2", description="oldest TLS version that is accepted", examples=["1.3"]
    )


class Tls(Asking[TlsSettings]):
    """A handshake that is verified; when that fails, a second one that only looks, so that its facts are told too."""

    name = "tls"
    summary = "Makes a TLS handshake: version, cipher, certificates with their names, and days to their expiry."
    settings = TlsSettings
    interval = timedelta(hours=6)
    measures = EXPIRY
    failures: ClassVar = NETWORK_FAILURES | TLS_FAILURES

    async def ask(self, settings: TlsSettings, attempt: Attempt) -> Observation:
        """Shakes hands and leaves."""
        context = context_of(settings, attempt)
        try:
            seen = await _looked_at(settings, attempt, context)
        except Ended as refused:
            if refused.observation.failure not in _TO_LOOK_AT:
                raise
            return await _told_nevertheless(settings, attempt, refused.observation)
        if _VERSIONS[_AS_SHOWN[seen.facts["tls_version"]]] < _VERSIONS[settings.minimum_version]:
            return replace(seen, outcome="failed", failure="tls_version", detail=_too_old(settings, seen))
        return seen


async def _looked_at(settings: TlsSettings, attempt: Attempt, context: ssl.SSLContext) -> Observation:
    where = (settings.host, settings.port, context, settings.server_name)
    async with connected(attempt, *where) as (_, writer):
        return _seen(writer)


async def _told_nevertheless(settings: TlsSettings, attempt: Attempt, refused: Observation) -> Observation:
    """What was refused, with the facts of the certificate for it. A peer that shows them no more adds nothing."""
    try:
        async with asyncio.timeout(1):
            seen = await _looked_at(settings, Attempt(attempt.secrets), lax_context(settings, attempt))
    except (Ended, TimeoutError):
        return refused
    return replace(refused, measures=seen.measures, facts=seen.facts)


def _seen(writer: asyncio.StreamWriter) -> Observation:
    connection = cast(ssl.SSLObject, writer.get_extra_info("ssl_object"))
    shown = certificates_of(connection)
    facts = facts_of(connection, shown)
    detail = f"{facts['tls_version']} with {facts['cipher']}"
    if shown:
        detail += f", certificate good until {facts['not_after'][:10]}"
    return Observation("ok", None, f"{detail}.", measures=days_left(shown, now()), facts=facts)


def _too_old(settings: TlsSettings, seen: Observation) -> str:
    return f"The peer chose {seen.facts['tls_version']}; at least TLS {settings.minimum_version} is expected."
