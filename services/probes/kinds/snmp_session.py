"""SNMP by pysnmp: one engine for each way to log in, answers as plain numbers and words."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, Self

from pyasn1.type import univ
from pysnmp.carrier.asyncio.dgram.udp import UdpAsyncioTransport, UdpTransportAddress
from pysnmp.carrier.asyncio.dgram.udp6 import Udp6TransportAddress
from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch.asyncio import (
    USM_AUTH_HMAC96_MD5,
    USM_AUTH_HMAC96_SHA,
    USM_AUTH_HMAC192_SHA256,
    USM_AUTH_HMAC384_SHA512,
    USM_AUTH_NONE,
    USM_PRIV_CBC56_DES,
    USM_PRIV_CFB128_AES,
    USM_PRIV_CFB192_AES,
    USM_PRIV_CFB256_AES,
    USM_PRIV_NONE,
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    SnmpEngine,
    UdpTransportTarget,
    UsmUserData,
    bulk_cmd,
    get_cmd,
)
from pysnmp.proto import errind, rfc1902, rfc1905

from services.probes.kinds.attempt import failed, our_fault
from services.probes.kinds.network import Address, not_connected

Value = int | str
AuthProtocol = Literal["MD5", "SHA", "SHA256", "SHA512"]
PrivProtocol = Literal["DES", "AES", "AES192", "AES256"]

ROWS_AT_ONCE = 20
MOST_ROWS = 2000
MOST_LOGINS = 64
MOST_IDLE = 4
RETRY_SECONDS = 2
RETRIES = 3
_REMEMBERED = "CommandGeneratorLcdConfigurator"
_ADDRESS_TYPES = {2: UdpTransportAddress, 4: Udp6TransportAddress}
_AUTH = {
    "MD5": USM_AUTH_HMAC96_MD5,
    "SHA": USM_AUTH_HMAC96_SHA,
    "SHA256": USM_AUTH_HMAC192_SHA256,
    "SHA512": USM_AUTH_HMAC384_SHA512,
}
_PRIV = {
    "DES": USM_PRIV_CBC56_DES,
    "AES": USM_PRIV_CFB128_AES,
    "AES192": USM_PRIV_CFB192_AES,
    "AES256": USM_PRIV_CFB256_AES,
}
_REFUSALS = (
    errind.WrongDigest,
    errind.UnknownUserName,
    errind.UnknownSecurityName,
    errind.UnsupportedSecurityLevel,
    errind.AuthenticationFailure,
    errind.AuthenticationError,
    errind.DecryptionError,
    errind.UnsupportedAuthProtocol,
    errind.UnsupportedPrivProtocol,
)


@dataclass(frozen=True, slots=True)
class Community:
    """Version 2c."""

    community: str

    def data(self) -> Any:
        """As pysnmp has it."""
        return CommunityData(self.community, mpModel=1)  # noqa: S508 -- it is what most agents speak


@dataclass(frozen=True, slots=True)
class User:
    """Version 3; without a protocol, messages are not signed, or not encrypted."""

    name: str
    auth: AuthProtocol | None
    auth_key: str | None
    priv: PrivProtocol | None
    priv_key: str | None

    def data(self) -> Any:
        """As pysnmp has it. Raises Ended for keys that can't be used."""
        try:
            return UsmUserData(
                self.name,
                self.auth_key,
                self.priv_key,
                authProtocol=_AUTH[self.auth] if self.auth else USM_AUTH_NONE,
                privProtocol=_PRIV[self.priv] if self.priv else USM_PRIV_NONE,
            )
        except PySnmpError as exc:
            raise our_fault("settings", "The keys of the SNMP user can't be used.") from exc


class Engines:
    """pysnmp's engines, kept for the next run: making one takes 50 ms, and deriving keys takes long too.

    Each serves one way to log in, and one run at a time, whose socket is closed at its end.
    """

    def __init__(self) -> None:
        self._idle: OrderedDict[bytes, list[Any]] = OrderedDict()

    @asynccontextmanager
    async def lent(self, login: Community | User) -> AsyncIterator[Any]:
        """An engine for that login, for the time within."""
        key = hashlib.sha256(repr(login).encode()).digest()
        idle = self._idle.pop(key, [])
        engine: Any = idle.pop() if idle else None
        self._keep(key, idle)
        if engine is None:
            engine = await asyncio.to_thread(SnmpEngine)
        try:
            yield engine
        finally:
            engine.close_dispatcher()
            # What pysnmp remembers of the socket that was just closed, it would use again.
            (engine.get_user_context(_REMEMBERED) or {}).get("tran", {}).clear()
            self._keep(key, [*self._idle.pop(key, []), engine])

    def _keep(self, key: bytes, idle: list[Any]) -> None:
        if idle:
            self._idle[key] = idle[-MOST_IDLE:]
        if len(self._idle) > MOST_LOGINS:
            self._idle.popitem(last=False)


class Datagrams(UdpAsyncioTransport):  # type: ignore[misc]  # -- pysnmp carries no types
    """A socket for one agent: what others send does not arrive, and a host that refuses is heard."""

    def __init__(self, where: Any) -> None:
        super().__init__()
        self.ADDRESS_TYPE = _ADDRESS_TYPES[len(where)]
        self.refused: asyncio.Future[OSError] = asyncio.get_running_loop().create_future()
        self._where = where
        self._waiting: list[bytes] = []

    def open_client_mode(self, iface: Any = None, allow_broadcast: bool = False) -> Self:
        """Connects the socket."""
        self._lport = asyncio.ensure_future(
            self.loop.create_datagram_endpoint(lambda: self, remote_addr=self._where[:2])
        )
        return self

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        """Sends what has waited for the socket."""
        self.transport = transport
        for message in self._waiting:
            transport.sendto(message)

    def send_message(self, outgoing: bytes, address: Any) -> None:
        """Sends to the one that it is connected to."""
        if self.transport is None:
            self._waiting.append(outgoing)
        else:
            self.transport.sendto(outgoing)

    def datagram_received(self, datagram: bytes, address: Any) -> None:
        """Hands the answer on; one that pysnmp can't read is no answer."""
        with suppress(Exception):
            self._callback_function(self, self._where, datagram)

    def error_received(self, fault: OSError) -> None:
        """The host or the network says no."""
        if not self.refused.done():
            self.refused.set_result(fault)


class Target(UdpTransportTarget):  # type: ignore[misc]  # -- pysnmp carries no types
    """One agent, asked once at a time."""

    def __init__(self, where: Any) -> None:
        self.transport_address = where
        super().__init__(timeout=RETRY_SECONDS, retries=0)
        self.transport = Datagrams(where)

    def open_client_mode(self) -> Datagrams:
        """The socket."""
        return self.transport.open_client_mode()


@dataclass
class Session:
    """Questions to one agent. Every method raises Ended when the agent does not keep its part."""

    engine: Any
    login: Community | User
    address: Address
    context: str = ""

    def __post_init__(self) -> None:
        self._target = Target(self.address[1])

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        """The values of the objects that the agent has."""
        if not oids:
            return {}
        rows = await self._ask(get_cmd, *[_object(oid) for oid in oids])
        return {oid: value for oid, value in rows if value is not None}

    async def walk(self, column: str) -> dict[str, Value]:
        """The values below ``column``, by what their names end in; at most 2000."""
        found: dict[str, Value] = {}
        last, prefix = column, column + "."
        while len(found) < MOST_ROWS:
            rows = await self._ask(bulk_cmd, 0, ROWS_AT_ONCE, _object(last))
            for oid, value in rows:
                if value is None or not oid.startswith(prefix):
                    return found
                if _numbers(oid) <= _numbers(last):
                    raise failed("protocol", "The agent walks in circles: its objects don't increase.")
                found[oid.removeprefix(prefix)] = value
                last = oid
            if not rows:
                return found
        return found

    async def _ask(self, command: Any, *what: Any) -> list[tuple[str, Value | None]]:
        for _ in range(RETRIES):
            try:
                problem, status, _, rows = await self._once(command, what)
            except PySnmpError as exc:
                raise failed("protocol", f"The agent's answer can't be read: {type(exc).__name__}.") from exc
            if not isinstance(problem, errind.RequestTimedOut):
                break
        if problem is not None:
            raise _problem(problem)
        if status:
            raise failed("snmp_error", f"The agent answers with the error {status.prettyPrint()}.")
        return [(str(name), _value(value)) for name, value in rows]

    async def _once(self, command: Any, what: Sequence[Any]) -> Any:
        asking = asyncio.ensure_future(
            command(self.engine, self.login.data(), self._target, ContextData(contextName=self.context), *what,
                    lookupMib=False)
        )  # fmt: skip
        refused = self._target.transport.refused
        try:
            await asyncio.wait((asking, refused), return_when=asyncio.FIRST_COMPLETED)
            if refused.done():
                raise not_connected(refused.result())
            return await asking
        finally:
            asking.cancel()


def _object(oid: str) -> Any:
    return ObjectType(ObjectIdentity(oid))


def _problem(problem: Any) -> Exception:
    if isinstance(problem, errind.RequestTimedOut):
        return failed("timeout_answer", "The agent does not answer; one that does not know us is silent too.")
    if isinstance(problem, _REFUSALS):
        return failed("login_refused", f"The agent refuses the user, or we its keys: {problem}.")
    return failed("protocol", f"The agent can't be understood: {problem}.")


def _value(value: Any) -> Value | None:
    if isinstance(value, rfc1905.NoSuchObject | rfc1905.NoSuchInstance | rfc1905.EndOfMibView):
        return None
    if isinstance(value, univ.Integer):
        return int(value)
    if isinstance(value, univ.OctetString) and not isinstance(value, rfc1902.IpAddress):
        return bytes(value).decode("utf-8", "replace").strip("\0 ")
    return str(value.prettyPrint())


def _numbers(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))
