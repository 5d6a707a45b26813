"""Servers that speak the first messages of Oracle's TNS and SQL Server's TDS: to refuse, or to break the rules."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Behave = Callable[[socket.socket], None]
TDS_HEADER = struct.Struct(">BBHHBB")
ENCRYPTION_NOT_SUPPORTED, ENCRYPTION_REQUIRED = 2, 3


@contextmanager
def answering(behave: Behave, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A port at which every connection is answered so, in a thread."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],)).start()

    def answer(plain: socket.socket) -> None:
        with plain, suppress(OSError, EOFError):
            if tls is None:
                behave(plain)
            else:
                with tls.wrap_socket(plain, server_side=True) as connection:
                    behave(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=serve)
        serving.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        serving.join()


def saying(data: bytes) -> Behave:
    """Waits for the first bytes, says this, and listens until the other is gone."""

    def behave(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(data)
        while connection.recv(4096):
            pass

    return behave


def leaving(connection: socket.socket) -> None:
    """Takes what comes first, and goes."""
    connection.recv(4096)


def tns_refusal(code: int) -> bytes:
    """A listener's REFUSE packet (type 4) with the reason that lsnrctl would log."""
    reason = f"(DESCRIPTION=(TMP=)(VSNNUM=0)(ERR={code})(ERROR_STACK=(ERROR=(CODE={code})(EMFI=4))))".encode()
    return struct.pack(">HHBBHBBH", 12 + len(reason), 0, 4, 0, 0, 34, 0, len(reason)) + reason


def tds_refusal(number: int, text: str) -> Behave:
    """Answers PRELOGIN, and LOGIN7 with an ERROR token ([MS-TDS] §2.2.7.10) and DONE."""

    def behave(connection: socket.socket) -> None:
        read_tds(connection)
        connection.sendall(tds_prelogin(ENCRYPTION_NOT_SUPPORTED))
        read_tds(connection)
        body = struct.pack("<iBB", number, 1, 14) + _text(text, "<H") + _text("srv", "<B") + _text("", "<B")
        body += struct.pack("<i", 1)
        done = b"\xfd" + struct.pack("<HHQ", 2, 0, 0)
        connection.sendall(_tds(b"\xaa" + struct.pack("<H", len(body)) + body + done))
        connection.recv(1)

    return behave


def tds_prelogin(encryption: int) -> bytes:
    """The server's PRELOGIN ([MS-TDS] §2.2.6.5): its version, and whether it encrypts."""
    options = [(0, b"\x0f\x00\x07\xd0\x00\x00"), (1, bytes([encryption])), (2, b"\x00"), (3, b""), (4, b"\x00")]
    offset, head, data = 5 * len(options) + 1, b"", b""
    for kind, value in options:
        head += struct.pack(">BHH", kind, offset + len(data), len(value))
        data += value
    return _tds(head + b"\xff" + data)


def read_tds(connection: socket.socket) -> None:
    """One message of one packet."""
    length = TDS_HEADER.unpack(connection.recv(TDS_HEADER.size, socket.MSG_WAITALL))[2]
    connection.recv(length - TDS_HEADER.size, socket.MSG_WAITALL)


def _tds(payload: bytes) -> bytes:
    return TDS_HEADER.pack(4, 1, TDS_HEADER.size + len(payload), 0, 1, 0) + payload


def _text(text: str, length: str) -> bytes:
    return struct.pack(length, len(text)) + text.encode("utf-16-le")
