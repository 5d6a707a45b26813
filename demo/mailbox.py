"""The local mailbox of `make up`: receives what Steward sends, keeps it, and shows it to a person or a script."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope, Session
from uuid_utils import uuid7

MAX_MAIL_BYTES = 16 * 1024 * 1024

# aiosmtpd logs every command and line at INFO and DEBUG, which is the whole mail.
logging.getLogger("mail.log").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Mail:
    """One mail as one recipient got it. `id` is a UUIDv7, so that ids are in the order of arrival."""

    id: str
    received_at: datetime
    sender: str
    to: str
    subject: str
    text: str
    html: str
    calendar: str
    message_id: str

    def as_json(self) -> dict[str, str]:
        """The mail as the mailbox's API shows it."""
        return {
            "id": self.id,
            "received_at": self.received_at.isoformat().replace("+00:00", "Z"),
            "from": self.sender,
            "to": self.to,
            "subject": self.subject,
            "text": self.text,
            "html": self.html,
            "calendar": self.calendar,
            "message_id": self.message_id,
        }


class Mailbox:
    """Receives on `port` of this machine while started. Keeps the newest mails, and as many .eml files.

    What an earlier run left in the folder is there again after a start.
    """

    def __init__(self, folder: Path, port: int = 0, kept: int = 1_000) -> None:
        self.port = port
        self._folder = folder
        self._kept = kept
        self._mails: deque[Mail] = deque(maxlen=kept)
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    @property
    def messages(self) -> list[Mail]:
        """The mails that are kept, oldest first."""
        return list(self._mails)

    async def start(self) -> None:
        """Listen; without a port of its own choice, on a free one that `port` then names."""
        await asyncio.to_thread(self._load)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self, self._connections), "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end what is still connected."""
        if self._server is None:
            return
        self._server.close()
        await asyncio.gather(*(connection.end() for connection in list(self._connections)))
        await self._server.wait_closed()
        self._server = None

    async def keep(self, sender: str, recipients: list[str], content: bytes) -> None:
        """Store a mail for each recipient; it is in its file when this returns."""
        for recipient in recipients:
            mail_id = str(uuid7())
            # The two trace headers of a final delivery (RFC 5321 §4.4) bring the envelope into the file.
            raw = f"Return-Path: <{sender}>\r\nDelivered-To: {recipient}\r\n".encode() + content
            await asyncio.to_thread(self._file(mail_id).write_bytes, raw)
            if len(self._mails) == self._kept:
                self._file(self._mails[0].id).unlink(missing_ok=True)
            self._mails.append(_read(mail_id, raw))

    def _load(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = sorted(self._folder.glob("*.eml"))
        for stale in files[: -self._kept]:
            stale.unlink()
        self._mails.clear()
        self._mails.extend(_read(file.stem, file.read_bytes()) for file in files[-self._kept :])

    def _file(self, mail_id: str) -> Path:
        return self._folder / f"{mail_id}.eml"


class _Connection(SMTP):
    def __init__(self, mailbox: Mailbox, connections: set["_Connection"]) -> None:
        self._connections = connections
        super().__init__(
            _Handler(mailbox),
            hostname="localhost",
            loop=asyncio.get_running_loop(),
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    async def end(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.wait([self._handler_coroutine])


class _Handler:
    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        await self._mailbox.keep(envelope.mail_from or "", envelope.rcpt_tos, content)
        return "250 2.0.0 kept"


def _read(mail_id: str, raw: bytes) -> Mail:
    message = message_from_bytes(raw, policy=default)
    return Mail(
        id=mail_id,
        # The first 48 bits of a UUIDv7 are milliseconds since 1970 (RFC 9562 §5.7).
        received_at=datetime.fromtimestamp((UUID(mail_id).int >> 80) / 1000, UTC),
        sender=str(message["Return-Path"] or "").strip("<>"),
        to=str(message["Delivered-To"] or ""),
        subject=str(message["Subject"] or ""),
        text=_part(message, "text/plain"),
        html=_part(message, "text/html"),
        calendar=_part(message, "text/calendar"),
        message_id=str(message["Message-ID"] or ""),
    )


def _part(message: EmailMessage, content_type: str) -> str:
    """The first part of that type, empty if there is none; an unknown charset is read as far as it goes."""
    return next(_texts(message, content_type), "")


def _texts(message: EmailMessage, content_type: str) -> Iterator[str]:
    for part in message.walk():
        if part.get_content_type() == content_type:
            payload = part.get_payload(decode=True)
            content = payload if isinstance(payload, bytes) else b""
            try:
                text = content.decode(part.get_content_charset("utf-8"), "replace")
            except LookupError:
                text = content.decode("utf-8", "replace")
            yield text.replace("\r\n", "\n")
