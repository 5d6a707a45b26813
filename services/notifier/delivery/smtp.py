"""The one place that touches SMTP."""

import asyncio
import contextlib
import email.policy
import ssl
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path

import aiosmtplib

from services.notifier.delivery.domain import UNDELIVERABLE, Accepted, Deferred, Outcome, Rejected
from services.notifier.delivery.text import one_line
from shared.mail_address import wire_address


class TlsMode(StrEnum):
    """How the connection is protected: not at all, by STARTTLS (RFC 3207), or from its first byte (RFC 8314)."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class Mailer:
    """Hands messages to one mail server, a connection each."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        sender: str,
        tls: TlsMode = TlsMode.STARTTLS,
        username: str | None = None,
        password: str | None = None,
        timeout: float = 30.0,
        ca_file: Path | None = None,
    ) -> None:
        """`sender`: an address as it goes on the wire, in ASCII. `timeout`: seconds for one whole send.

        `ca_file`: certificates to trust in place of the system's.
        """
        self._sender = sender
        self._peer = f"{host}:{port}"
        self._host, self._port, self._tls, self._timeout = host, port, tls, timeout
        self._username, self._password = username, password
        self._context = None if tls is TlsMode.NONE else ssl.create_default_context(cafile=ca_file)

    async def send(self, message: EmailMessage, recipient: str) -> Outcome:
        """Send one message to one recipient; returns within the timeout, whatever the server does.

        After `Deferred` the server may still have the message: it can accept and then fail to say so.
        """
        address = wire_address(recipient)
        if address is None:
            return UNDELIVERABLE
        deadline = asyncio.get_running_loop().time() + self._timeout
        client = self._client()
        try:
            async with asyncio.timeout_at(deadline):
                outcome = await self._transact(client, message, address)
            await _quit(client, deadline)
        except TimeoutError:
            return Deferred(None, f"{self._peer} gave no answer within {self._timeout:g} s")
        except aiosmtplib.SMTPResponseException as exc:
            return _judge(exc)
        except (aiosmtplib.SMTPException, OSError) as exc:
            return Deferred(None, one_line(f"{self._peer}: {_reason(exc)}"))
        finally:
            client.close()
        return outcome

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            # The default asks DNS for this machine's name, which can hang for as long as a resolver likes.
            local_hostname=self._sender.rpartition("@")[2],
            timeout=None,
            use_tls=self._tls is TlsMode.TLS,
            start_tls=self._tls is TlsMode.STARTTLS,
            tls_context=self._context,
        )

    async def _transact(self, client: aiosmtplib.SMTP, message: EmailMessage, address: str) -> Outcome:
        await client.connect()
        is_international = not address.isascii()
        if is_international and not await _offers_smtputf8(client):
            return Rejected(553, "the mail server can't carry this address (no SMTPUTF8)", recipient_refused=True)
        policy = email.policy.SMTPUTF8 if is_international else email.policy.SMTP
        encoding, options = ("utf-8", ["SMTPUTF8"]) if is_international else ("ascii", [])
        await client.mail(self._sender, options=options, encoding=encoding)
        await client.rcpt(address, encoding=encoding)
        response = await client.data(message.as_bytes(policy=policy.clone(cte_type="7bit")))
        return Accepted(response.code, one_line(response.message))


async def _offers_smtputf8(client: aiosmtplib.SMTP) -> bool:
    if client.is_ehlo_or_helo_needed:
        await client.ehlo()
    return client.supports_extension("smtputf8")


async def _quit(client: aiosmtplib.SMTP, deadline: float) -> None:
    """Say goodbye; a server that is rude about it has accepted the message all the same."""
    with contextlib.suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout_at(deadline):
            await client.quit()


def _judge(exc: aiosmtplib.SMTPResponseException) -> Outcome:
    text = one_line(exc.message) or "no reason given"
    if not 500 <= exc.code <= 599:
        return Deferred(exc.code, text)
    # RFC 3463 §3.8: X.7.* is about security and policy ("relaying denied"), whatever command it answers.
    is_policy = text.startswith("5.7.")
    return Rejected(exc.code, text, isinstance(exc, aiosmtplib.SMTPRecipientRefused) and not is_policy)


def _reason(exc: Exception) -> str:
    cause = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    return str(cause) or type(cause).__name__
