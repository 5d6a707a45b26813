"""SNMP by pysnmp: one engine for each way to log in, answers as plain numbers and words."""

import hashlib
import socket
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

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
    Udp6TransportTarget,
    UdpTransportTarget,
    UsmUserData,
    bulk_cmd,
    get_cmd,
)
from pysnmp.proto import errind, rfc1902, rfc1905

from services.probes.kinds.attempt import failed, our_fault
from services.probes.kinds.network import Address

Value = int | str
AuthProtocol = Literal["MD5", "SHA", "SHA256", "SHA512"]
PrivProtocol = Literal["DES", "AES", "AES192", "AES256"]

ROWS_AT_ONCE = 20
MOST_ROWS = 2000
MOST_ENGINES = 32
RETRY_SECONDS = 2
RETRIES = 2
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

    Each serves one way to log in, so that two users of one name with other keys don't get into each other's way.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Any] = OrderedDict()

    def engine(self, login: Community | User) -> Any:
        """The engine for that login."""
        key = hashlib.sha256(repr(login).encode()).digest()
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            self._kept[key] = SnmpEngine()
        if len(self._kept) > MOST_ENGINES:
            self._kept.popitem(last=False)[1].close_dispatcher()
        return self._kept[key]

    def close(self) -> None:
        """Ends all of them and their sockets."""
        while self._kept:
            self._kept.popitem()[1].close_dispatcher()


@dataclass
class Session:
    """Questions to one agent. Every method raises Ended when the agent does not keep its part."""

    engine: Any
    login: Community | User
    address: Address
    context: str = ""
    _target: Any = field(default=None, init=False)

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
        if self._target is None:
            self._target = await _target(self.address)
        try:
            problem, status, _, rows = await command(
                self.engine, self.login.data(), self._target, ContextData(contextName=self.context), *what,
                lookupMib=False,
            )  # fmt: skip
        except PySnmpError as exc:
            raise failed("protocol", f"The agent's answer can't be read: {type(exc).__name__}.") from exc
        if problem is not None:
            raise _problem(problem)
        if status:
            raise failed("snmp_error", f"The agent answers with the error {status.prettyPrint()}.")
        return [(str(name), _value(value)) for name, value in rows]


def _object(oid: str) -> Any:
    return ObjectType(ObjectIdentity(oid))


async def _target(address: Address) -> Any:
    family, where = address
    kind = Udp6TransportTarget if family == socket.AF_INET6 else UdpTransportTarget
    return await kind.create(where[:2], timeout=RETRY_SECONDS, retries=RETRIES)


def _problem(problem: Any) -> Exception:
    if isinstance(problem, errind.RequestTimedOut):
        return failed("timeout_answer", "The agent does not answer; one that does not know us is silent too.")
    if isinstance(problem, _REFUSALS):
        return failed("login_refused", f"The agent refuses the user, or we its keys: {problem}.")
    return failed("protocol", f"The agent can't be understood: {problem}.")


def _value(value: Any) -> Value | None:
    if isinstance(value, rfc1905.NoSuchObject | rfc1905.NoSuchInstance | rfc1905.EndOfMibView):
        return None
    if isinstance(value, rfc1902.ObjectIdentifier | rfc1902.IpAddress):
        return str(value.prettyPrint())
    if isinstance(value, rfc1902.OctetString):
        return bytes(value).decode("utf-8", "replace").strip("\0 ")
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _numbers(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))
