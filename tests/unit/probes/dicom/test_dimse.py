"""Command sets are read the same by their remembered layout as element by element."""

from hypothesis import given, strategies

from services.probes.dicom import dimse
from services.probes.dicom.dimse import decode_command, decode_elements, encode_command, response_to, store_request
from services.probes.dicom.pdu import BadReply

_numbers = strategies.integers(0, 0xFFFF)
_uids = strategies.from_regex(r"[0-9]{1,4}(\.[1-9][0-9]{0,6}){0,5}", fullmatch=True)
_elements = strategies.dictionaries(
    strategies.integers(dimse.AFFECTED_SOP_CLASS, 0x1100), _numbers | _uids, max_size=12
).map(lambda more: more | {dimse.FIELD: dimse.C_STORE, dimse.DATA_SET_TYPE: dimse.NO_DATA})


def _outcome(body: bytes) -> dict[int, bytes] | str:
    try:
        values = decode_elements(body)
        dimse.Command(values)
    except BadReply as failure:
        return failure.detail
    return values


@given(_elements, strategies.lists(strategies.tuples(strategies.integers(0, 511), strategies.integers(0, 255))))
def test_a_command_set_is_read_alike_the_first_time_again_and_with_any_bytes_changed(
    elements: dict[int, int | str], changes: list[tuple[int, int]]
) -> None:
    body = encode_command(elements)
    changed = bytearray(body)
    for place, value in changes:
        changed[place % len(changed)] = value
    for received in (body, body, bytes(changed), body):
        try:
            read: dict[int, bytes] | str = decode_command(received).values
        except BadReply as failure:
            read = failure.detail
        assert read == _outcome(received)


@given(_uids, _uids, _numbers)
def test_a_request_to_store_is_what_its_elements_are_one_by_one(sop_class: str, instance: str, message_id: int) -> None:
    assert store_request(sop_class, instance, message_id) == encode_command(
        {
            dimse.AFFECTED_SOP_CLASS: sop_class,
            dimse.FIELD: dimse.C_STORE,
            dimse.MESSAGE_ID: message_id,
            dimse.PRIORITY: dimse.MEDIUM,
            dimse.DATA_SET_TYPE: dimse.WITH_DATA,
            dimse.AFFECTED_SOP_INSTANCE: instance,
        }
    )


@given(_uids, _uids, _numbers, _numbers)
def test_a_response_is_what_its_elements_are_one_by_one(
    sop_class: str, instance: str, message_id: int, status: int
) -> None:
    request = decode_command(store_request(sop_class, instance, message_id))
    assert response_to(request, status) == encode_command(
        {
            dimse.AFFECTED_SOP_CLASS: sop_class,
            dimse.FIELD: dimse.C_STORE | dimse.RESPONSE,
            dimse.ANSWERED_ID: message_id,
            dimse.DATA_SET_TYPE: dimse.NO_DATA,
            dimse.STATUS: status,
            dimse.AFFECTED_SOP_INSTANCE: instance,
        }
    )
