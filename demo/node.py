"""A DICOM node of the simulated group: one listening port that answers C-ECHO, and can go away and come back."""

import socket
import threading
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from socketserver import BaseServer
from typing import Literal

from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu import A_ABORT_RQ
from pynetdicom.pdu_primitives import A_ABORT
from pynetdicom.transport import ThreadedAssociationServer

Role = Literal["archive", "modality", "workstation"]

VERIFICATION = UID("1.2.840.10008.1.1")
HOST = "127.0.0.1"
_POLL_SECONDS = 1.0


class Node:
    """A C-ECHO SCP under its own AE title; who calls it by another title is rejected.

    `port` is a free one, chosen at the first start and kept from then on; it is 0 before. Start and stop may be called
    from any thread and do nothing when there is nothing to do.
    """

    def __init__(self, name: str, role: Role, ae_title: str, folder: Path | None = None) -> None:
        self.name = name
        self.role = role
        self.ae_title = ae_title
        self.folder = folder
        self.host = HOST
        self.port = 0
        self._entity = self._make_entity()
        self._listener: _Listener | None = None
        self._lock = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether the node listens."""
        return self._listener is not None

    def start(self) -> None:
        """Listen; when this returns, connections are taken. Raises OSError when the port is taken by another."""
        with self._lock:
            if self._listener is not None:
                return
            listener = _Listener(
                self._entity,
                (self.host, self.port),
                self.ae_title,
                self._entity.supported_contexts,
                evt_handlers=self._handlers(),
            )
            self.port = int(listener.server_address[1])
            listener.serving.start()
            self._listener = listener

    def stop(self) -> None:
        """Close the port and abort what is open; when this returns, connections are refused."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def _make_entity(self) -> ApplicationEntity:
        entity = ApplicationEntity(ae_title=self.ae_title)
        entity.require_called_aet = True
        entity.acse_timeout = 5
        entity.dimse_timeout = 10
        entity.network_timeout = 10
        entity.connection_timeout = 5
        entity.add_supported_context(VERIFICATION)
        return entity

    def _handlers(self) -> list[EventHandlerType]:
        return []


class _Listener(ThreadedAssociationServer):
    @cached_property
    def serving(self) -> threading.Thread:
        """The thread that takes connections."""
        return threading.Thread(
            target=self.serve_forever, args=(_POLL_SECONDS,), name=f"dicom-{self.ae_title}", daemon=True
        )

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Take a connection, as a socket that pynetdicom always closes."""
        accepted, address = super().get_request()
        return _Connection(fileno=accepted.detach()), address

    def service_actions(self) -> None:
        """Do nothing: the base class collects all garbage at every 60th poll, a fleet's largest use of the CPU."""

    def stop(self) -> None:
        """Close the port and every connection; afterwards none of their threads runs a state machine."""
        # The loop waits for a connection or its next poll; a socket that is shut down wakes it at once.
        if self.socket is not None:
            self.socket.shutdown(socket.SHUT_RDWR)
        BaseServer.shutdown(self)
        self.serving.join()
        self.server_close()
        for assoc in self.active_associations:
            _abort(assoc)


class _Connection(socket.socket):
    def shutdown(self, how: int) -> None:
        """Do nothing when the peer is already gone: pynetdicom takes that error for a closed socket, and leaks it."""
        with suppress(OSError):
            super().shutdown(how)


def _take_over(event: Event) -> None:
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket = _Connection(fileno=transport.socket.detach())


CLOSING: list[EventHandlerType] = [(evt.EVT_CONN_OPEN, _take_over)]
"""Given to an association that a node opens: its socket is closed also when the peer was first."""


def _abort(assoc: Association) -> None:
    """Abort and disconnect; pynetdicom's own abort would wait for the peer to close the connection."""
    # An association that was just accepted starts its state machine now, and ends none that it has not started yet.
    assoc._dul_ready.wait(_POLL_SECONDS)
    connection = assoc.dul.socket.socket if assoc.dul.socket else None
    if connection is not None:
        with suppress(OSError):
            if assoc.is_established:
                connection.send(A_ABORT_RQ(_user_abort()).encode())
            connection.shutdown(socket.SHUT_RDWR)
    assoc.kill()
    if connection is not None:
        connection.close()


def _user_abort() -> A_ABORT:
    primitive = A_ABORT()
    primitive.abort_source = 0
    return primitive
