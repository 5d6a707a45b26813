"""What all kinds share that ask over a network: one deadline, one set of words for what the network does."""

import asyncio
from abc import abstractmethod
from typing import ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel

from services.probes.kinds.attempt import Attempt, Ended
from services.probes.kinds.domain import Configuration, Kind, Observation
from services.probes.kinds.secrets import SecretMissing, Secrets

S = TypeVar("S", bound=BaseModel)

NETWORK_FAILURES = {
    "dns": "the host name has no address; as probe_error: our resolver can't be used",
    "refused": "nothing listens on that port",
    "unreachable": "the network has no way to the host",
    "timeout_connect": "no connection within the timeout",
    "timeout_answer": "connected, but no whole answer within the timeout",
    "closed": "the peer ended the connection before its answer was whole",
    "protocol": "the answer breaks the rules of its protocol",
    "local": "probe_error: this machine could not use its own network",
    "settings": "probe_error: the settings can't be carried out here",
    "secret": "probe_error: a secret is missing here, or is of another site; the detail names it",
}

TLS_FAILURES = {
    "tls_expired": "the certificate, or one that it rests on, has expired",
    "tls_not_yet_valid": "the certificate is not valid yet",
    "tls_untrusted": "nobody whom we trust signed the certificate: self-signed, or an issuer is missing",
    "tls_name": "the certificate is for other names",
    "tls_version": "the peer speaks no TLS version that we accept",
    "tls_client_certificate": "the peer wants a certificate of ours, or refused the one that it got",
    "tls": "there is no TLS on that port, or the handshake failed for another reason",
    "timeout_tls": "the handshake was not finished within the timeout",
}


class Asking(Kind[S], Generic[S]):
    """A kind whose ``ask`` may raise Ended, and is ended at the timeout wherever it is."""

    failures = NETWORK_FAILURES
    faults_of_configuration: ClassVar = frozenset({"tls_name", "tls_client_certificate"})

    def __init__(self, secrets: Secrets) -> None:
        self.secrets = secrets

    @classmethod
    def configured(cls, configuration: Configuration) -> Self:
        """Reads its secrets from the folder that was set."""
        return cls(Secrets(configuration.probe_secrets))

    @abstractmethod
    async def ask(self, settings: S, attempt: Attempt) -> Observation:
        """Asks once. What it began is closed when it returns, raises or is cancelled."""

    async def run(self, settings: S, timeout: float) -> Observation:
        """Asks once and returns within ``timeout`` seconds, whatever the peer does."""
        attempt = Attempt(self.secrets, timeout)
        try:
            async with asyncio.timeout(timeout):
                seen = await self.ask(settings, attempt)
        except Ended as end:
            seen = end.observation
        except SecretMissing as exc:
            seen = Observation("probe_error", "secret", str(exc))
        except TimeoutError:
            seen = timed_out(attempt.current, timeout)
        return attempt.told(seen)


def timed_out(phase: str | None, timeout: float) -> Observation:
    """What it means that the deadline passed in ``phase``."""
    within = f"within {timeout:g} s"
    if phase == "dns":
        return Observation("probe_error", "dns", f"Our name resolver did not answer {within}.")
    if phase == "tcp":
        return Observation("failed", "timeout_connect", f"No connection could be made {within}.")
    if phase == "tls":
        return Observation("failed", "timeout_tls", f"The peer did not finish the TLS handshake {within}.")
    return Observation("failed", "timeout_answer", f"The peer did not answer {within}; it was at: {phase or 'start'}.")
