"""What other programs tell of the nodes and devices that they know."""

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.imports.dcm4chee import device_names, read_device, read_ldif
from services.inventory.imports.domain import BadFile
from services.inventory.imports.netbox import Mapped, catalogue_rows, device_rows, results_of, site_rows
from services.inventory.imports.orthanc import read_modalities

CONFIGURATION = """
{
  // What the archive may send to, "quoted" words too
  "Name" : "North", /* "DicomModalities": {} */
  "DicomModalities" : {
    "ct" : [ "CT1", "ct1.north.example.org", 104 ],
    "mr" : [ "MR1", "10.1.2.4", 104, "GenericNoWildcardInDates" ],
    "http://odd" : { "AET": "WS1", "Host": "ws1", "Port": 11112, "Manufacturer": "Generic", "AllowEcho": true }
  }
}
"""
DEVICE = {
    "dicomDeviceName": "storescp",
    "dicomNetworkConnection": [
        {"cn": "dicom", "dicomHostname": "archive.north.example.org", "dicomPort": 11112},
        {"cn": "out", "dicomHostname": "archive.north.example.org"},
    ],
    "dicomNetworkAE": [
        {
            "dicomAETitle": "DCM4CHEE",
            "dicomDescription": "Archive",
            "dicomNetworkConnectionReference": ["/dicomNetworkConnection/1", "/dicomNetworkConnection/0"],
        },
        {"dicomAETitle": "CALLER", "dicomNetworkConnectionReference": ["/dicomNetworkConnection/1"]},
    ],
}
ROOT = "dicomDeviceName=dcm,cn=Devices,cn=DICOM Configuration,dc=dcm4che,dc=org"
LDIF = f"""version: 1
# the device's connection
dn: cn=dicom,{ROOT}
objectClass: dicomNetworkConnection
dicomHostname: archive.north.
 example.org
dicomPort: 11112

dn: dicomAETitle=DCM4CHEE,{ROOT}
objectClass: dicomNetworkAE
dicomAETitle: DCM4CHEE
dicomNetworkConnectionReference: cn=dicom, {ROOT.upper()}
dicomDescription:: {base64.b64encode("Archiv für alle".encode()).decode()}
"""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*DEVICE, "dicomPort", "slug", "results", "next", "site", "role"]), inner)
    ),
    max_leaves=12,
)


def test_modalities_are_read_from_a_configuration_with_comments() -> None:
    """As lists and as objects, the two forms that Orthanc takes."""
    assert read_modalities(CONFIGURATION.encode()) == [
        {"start_name": "ct", "ae_title": "CT1", "host": "ct1.north.example.org", "port": "104"},
        {"start_name": "mr", "ae_title": "MR1", "host": "10.1.2.4", "port": "104"},
        {"start_name": "http://odd", "ae_title": "WS1", "host": "ws1", "port": "11112"},
    ]


def test_modalities_are_read_from_the_rest_api_too() -> None:
    """What Orthanc answers to GET /modalities?expand."""
    told = {"ct": {"AET": "CT1", "Host": "10.1.2.3", "Port": 104, "Manufacturer": "Generic", "UseDicomTls": False}}
    [row] = read_modalities(json.dumps(told).encode())
    assert (row["host"], row["port"], row["ae_title"]) == ("10.1.2.3", "104", "CT1")


@pytest.mark.parametrize("raw", [b"[]", b"{}", b'{"DicomModalities": []}', b"{", b"[" * 100_000])
def test_what_is_no_configuration_is_refused(raw: bytes) -> None:
    """Also one in which no modality stands."""
    with pytest.raises(BadFile):
        read_modalities(raw)


def test_entities_of_a_device_are_those_that_can_be_called() -> None:
    """At the first of their connections that has a port."""
    name = {"start_name": "Archive", "ae_title": "DCM4CHEE"}
    assert read_device(DEVICE) == [name | {"host": "archive.north.example.org", "port": "11112"}]
    assert device_names([{"dicomDeviceName": "a"}], [{"dicomDeviceName": "b"}, {"dicomDeviceName": "a"}]) == ["a", "b"]


def test_entities_are_read_from_an_export_of_the_directory() -> None:
    """Lines may be folded and values in Base64; names of entries are compared as a directory does."""
    name = {"start_name": "Archiv für alle", "ae_title": "DCM4CHEE"}
    assert read_ldif(LDIF.encode()) == [name | {"host": "archive.north.example.org", "port": "11112"}]


@pytest.mark.parametrize("raw", [b"", b"\xff", b"no colon", b"dn: x\ncn:: ???", b"dn: x\ndicomAETitle: A\n"])
def test_what_is_no_directory_is_refused(raw: bytes) -> None:
    """Also one without an entity that can be called."""
    with pytest.raises(BadFile):
        read_ldif(raw)


@pytest.mark.parametrize("role", ["role", "device_role"])
def test_a_device_of_netbox_is_a_component(role: str) -> None:
    """In the words of version 3 as of version 4."""
    device = {
        **{"name": "nas-1", "serial": "S1", "asset_tag": None, "status": {"value": "planned"}, "position": 12.0},
        **{"device_type": {"model": "N9", "manufacturer": {"name": "Halden"}}, "site": {"slug": "North_Site"}},
        **{role: {"slug": "pacs-servers"}, "primary_ip": {"address": "10.0.0.9/24"}, "rack": {"name": "R1"}},
    }
    [row] = device_rows([device], Mapped(fields={"rack": "rack", "position": "unit"}))
    assert row == {
        **{"site": "north-site", "type": "server", "name": "nas-1", "manufacturer": "Halden", "model": "N9"},
        **{"product": "N9", "serial": "S1", "host": "10.0.0.9", "start_state": "proposed"},
        **{"field.rack": "R1", "field.unit": "12.0"},
    }
    assert catalogue_rows([row, row]) == ([{"name": "Halden"}], [{"vendor": "Halden", "name": "N9", "type": "server"}])
    [mapped] = device_rows([device], Mapped(sites={"North_Site": "north"}, roles={"pacs-servers": "array"}))
    assert (mapped["site"], mapped["type"]) == ("north", "array")


def test_a_site_of_netbox_keeps_what_netbox_does_not_know() -> None:
    """Its time zone above all, unless one is told for all of them."""
    site = {"slug": "north", "name": "North", "time_zone": None, "physical_address": "1 Road\r\n\r\nTown "}
    assert site_rows([site], Mapped()) == [{"id": "north", "name": "North", "address": "1 Road, Town"}]
    assert site_rows([site], Mapped(time_zone="UTC"))[0]["time_zone"] == "UTC"


@pytest.mark.parametrize("told", [{"colours": {}}, {"roles": []}, {"roles": {"a": 1}}])
def test_a_mapping_has_its_four_tables(told: dict[str, Any]) -> None:
    """Each of texts."""
    with pytest.raises(BadFile):
        Mapped.parse(told, None)


@given(JSON)
def test_whatever_a_server_tells_is_rows_or_no_answer(told: Any) -> None:
    """Nothing else comes out of it."""
    with suppress(BadFile):
        read_device(told)
    with suppress(BadFile):
        device_names(told, told)
    with suppress(BadFile):
        things, _ = results_of(told)
        site_rows(things, Mapped())
        catalogue_rows(device_rows(things, Mapped()))
