"""How an association is asked for and accepted (PS3.8 §9.3.2, §9.3.3, PS3.7 Annex D), as bytes and back.

pynetdicom encodes; what comes is decoded here, item by item, so that no length is believed before it is checked.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
    UserIdentityNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context

from services.probes.dicom.parameters import Calling, Context, NegotiatedContext, UserIdentity
from services.probes.dicom.pdu import OFFERED_LENGTH, BadReply

MOST_CONTEXTS = 128
USER_REJECTION, ABSTRACT_SYNTAX_NOT_SUPPORTED, TRANSFER_SYNTAXES_NOT_SUPPORTED = 1, 3, 4

_APPLICATION_CONTEXT = UID("1.2.840.10008.3.1.1.1")
_IMPLEMENTATION_UID = UID("2.25.184431296621510579866672444066199231502")
_IMPLEMENTATION_VERSION = "STEWARD"

_FIXED_LENGTH = 68
# 128 contexts of 38 known transfer syntaxes each, and their roles, are fewer.
_MOST_ITEMS = 8_192
_item = struct.Struct(">BxH")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An A-ASSOCIATE-AC: the peer's maximum length (0: no limit), and per context id its result and transfer syntax.

    ``scp_roles`` are the abstract syntaxes of which the peer takes us as SCP.
    """

    maximum_length: int
    contexts: Mapping[int, tuple[int, str | None]]
    scp_roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Proposed:
    """A presentation context of an A-ASSOCIATE-RQ."""

    id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """An A-ASSOCIATE-RQ; ``roles`` are the proposed (SCU, SCP) roles per abstract syntax, ``versions`` a bit field."""

    versions: int
    called_ae_title: str
    calling_ae_title: str
    maximum_length: int
    contexts: tuple[Proposed, ...]
    roles: Mapping[str, tuple[bool, bool]]


def associate_request(called_ae_title: str, calling: Calling, contexts: Sequence[Context]) -> bytes:
    """An A-ASSOCIATE-RQ. Raises ValueError for an impossible AE title, and for no or more than 128 contexts."""
    if not 1 <= len(contexts) <= MOST_CONTEXTS:
        raise ValueError(f"an association takes 1 to {MOST_CONTEXTS} presentation contexts, not {len(contexts)}")
    proposed = tuple((str(c.abstract_syntax), tuple(map(str, c.transfer_syntaxes)), c.as_scp) for c in contexts)
    if calling.identity is None:
        return _kept_request(called_ae_title, calling.ae_title, proposed)
    return _request(called_ae_title, calling.ae_title, proposed, [_identity(calling.identity)])


@lru_cache(maxsize=1024)
def _kept_request(called: str, calling: str, proposed: tuple[tuple[str, tuple[str, ...], bool], ...]) -> bytes:
    return _request(called, calling, proposed, [])


def _request(
    called: str, calling: str, proposed: tuple[tuple[str, tuple[str, ...], bool], ...], more: list[Any]
) -> bytes:
    request = _primitive(called, calling)
    request.presentation_context_definition_list = [
        _context(2 * n + 1, abstract, list(transfers)) for n, (abstract, transfers, _) in enumerate(proposed)
    ]
    as_scp = dict.fromkeys(abstract for abstract, _, is_scp in proposed if is_scp)
    request.user_information = [*_user_information(), *(_role(uid, False, True) for uid in as_scp), *more]
    return bytes(A_ASSOCIATE_RQ(request).encode())


def acceptance_reply(request: Request, contexts: Sequence[NegotiatedContext]) -> bytes:
    """The A-ASSOCIATE-AC to a request, with the role of SCP for who asked for it (PS3.7 D.3.3.4.2)."""
    reply = _primitive(request.called_ae_title, request.calling_ae_title)
    reply.result = 0
    reply.presentation_context_definition_results_list = [_result(context) for context in contexts]
    roles = [_role(uid, scu, scp) for uid, (scu, scp) in request.roles.items() if scu or scp]
    reply.user_information = [*_user_information(), *roles]
    return bytes(A_ASSOCIATE_AC(reply).encode())


def negotiated(contexts: Sequence[Context], acceptance: Acceptance) -> tuple[NegotiatedContext, ...]:
    """What became of the proposed contexts. Raises BadReply when the peer left one unanswered."""
    found = []
    for n, context in enumerate(contexts):
        result, transfer_syntax = acceptance.contexts.get(2 * n + 1, (None, None))
        if result is None:
            raise BadReply(f"it accepted the association without a word on {UID(context.abstract_syntax).name}.")
        if result == 0 and transfer_syntax not in context.transfer_syntaxes:
            raise BadReply(f"it chose the transfer syntax {transfer_syntax}, which was not proposed.")
        as_scp = context.as_scp and context.abstract_syntax in acceptance.scp_roles
        transfer_syntax = transfer_syntax if result == 0 else None
        found.append(NegotiatedContext(2 * n + 1, context.abstract_syntax, result, transfer_syntax, as_scp))
    return tuple(found)


def decode_acceptance(body: bytes) -> Acceptance:
    """The meaning of an A-ASSOCIATE-AC's body. Raises BadReply."""
    contexts: dict[int, tuple[int, str | None]] = {}
    user: dict[int, list[bytes]] = {}
    for kind, item in _items(_after_fixed(body)):
        if kind == 0x21:
            if len(item) < 4:
                raise BadReply("a presentation context in its acceptance is cut short.")
            transfers = [_uid(value) for sub, value in _items(item[4:]) if sub == 0x40]
            contexts[item[0]] = (item[2], transfers[0] if transfers else None)
        elif kind == 0x50:
            user = _grouped(item)
    roles = _roles(user)
    return Acceptance(_maximum_length(user), contexts, frozenset(uid for uid, (_, scp) in roles.items() if scp))


def decode_request(body: bytes) -> Request:
    """The meaning of an A-ASSOCIATE-RQ's body. Raises BadReply."""
    contexts: list[Proposed] = []
    user: dict[int, list[bytes]] = {}
    for kind, item in _items(_after_fixed(body)):
        if kind == 0x20:
            contexts.append(_proposed(item))
        elif kind == 0x50:
            user = _grouped(item)
    if not 1 <= len(contexts) <= MOST_CONTEXTS or len({context.id for context in contexts}) < len(contexts):
        raise BadReply(f"it proposes {len(contexts)} presentation contexts.")
    titles = (_ae_title(body[4:20]), _ae_title(body[20:36]))
    return Request(body[1], *titles, _maximum_length(user), tuple(contexts), _roles(user))


def _proposed(item: bytes) -> Proposed:
    if len(item) < 4 or not item[0] % 2:
        raise BadReply("a presentation context that it proposes can't be read.")
    syntaxes = _grouped(item[4:])
    if len(syntaxes.get(0x30, ())) != 1 or not syntaxes.get(0x40):
        raise BadReply("a presentation context that it proposes lacks its syntaxes.")
    return Proposed(item[0], _uid(syntaxes[0x30][0]), tuple(map(_uid, syntaxes[0x40])))


def _after_fixed(body: bytes) -> bytes:
    if len(body) < _FIXED_LENGTH:
        raise BadReply("its association PDU is cut short.")
    return body[_FIXED_LENGTH:]


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    offset, end = 0, len(body)
    for _ in range(_MOST_ITEMS):
        if offset == end:
            return
        if end - offset < 4:
            raise BadReply("an item of its association PDU is cut short.")
        kind, length = _item.unpack_from(body, offset)
        start, offset = offset + 4, offset + 4 + length
        if offset > end:
            raise BadReply(f"an item of its association PDU claims {length} bytes.")
        yield kind, body[start:offset]
    raise BadReply("its association PDU has too many items.")


def _grouped(body: bytes) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    for kind, item in _items(body):
        found.setdefault(kind, []).append(item)
    return found


def _maximum_length(user: Mapping[int, list[bytes]]) -> int:
    return int.from_bytes(user[0x51][0], "big") if 0x51 in user else 0


def _roles(user: Mapping[int, list[bytes]]) -> dict[str, tuple[bool, bool]]:
    found = {}
    for item in user.get(0x54, ()):
        length = int.from_bytes(item[:2], "big")
        if len(item) != length + 4:
            raise BadReply("a role selection of its association PDU can't be read.")
        found[_uid(item[2 : 2 + length])] = (item[-2] == 1, item[-1] == 1)
    return found


def _uid(value: bytes) -> str:
    text = value.rstrip(b"\0 ")
    if len(text) > 64 or not text.replace(b".", b"0").isdigit():
        raise BadReply("its association PDU holds what should be a UID and is none.")
    return text.decode("ascii")


def _ae_title(value: bytes) -> str:
    return value.decode("ascii", errors="replace").strip(" \0")


def _primitive(called_ae_title: str, calling_ae_title: str) -> Any:
    primitive = A_ASSOCIATE()
    primitive.application_context_name = _APPLICATION_CONTEXT
    primitive.called_ae_title = called_ae_title
    primitive.calling_ae_title = calling_ae_title
    return primitive


def _context(context_id: int, abstract_syntax: str, transfer_syntaxes: list[str]) -> PresentationContext:
    context = build_context(abstract_syntax, transfer_syntaxes)
    context.context_id = context_id
    return context


def _result(negotiated: NegotiatedContext) -> PresentationContext:
    # A refused context carries a transfer syntax too, which is not looked at (PS3.8 §9.3.3.2).
    context = _context(negotiated.id, negotiated.abstract_syntax, [negotiated.transfer_syntax or "1.2.840.10008.1.2"])
    context.result = negotiated.result
    return context


def _user_information() -> list[Any]:
    maximum = MaximumLengthNotification()
    maximum.maximum_length_received = OFFERED_LENGTH
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = _IMPLEMENTATION_UID
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = _IMPLEMENTATION_VERSION
    return [maximum, implementation, version]


def _role(uid: str, as_scu: bool, as_scp: bool) -> Any:
    role = SCP_SCU_RoleSelectionNegotiation()
    role.sop_class_uid = UID(uid)
    role.scu_role = as_scu
    role.scp_role = as_scp
    return role


def _identity(identity: UserIdentity) -> Any:
    item = UserIdentityNegotiation()
    item.user_identity_type = identity.kind
    item.primary_field = identity.primary
    if identity.kind == 2:
        item.secondary_field = identity.secondary
    item.positive_response_requested = identity.wants_response
    return item
