"""SBOMs in both forms: what is read, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.documents.markup import NotTaken
from services.inventory.software.cyclonedx import Item, Sbom, read_sbom
from services.inventory.software.domain import Difference, difference
from tests.unit.inventory.software.boms import LOG4J, NAMESPACE, POSTGRES, REMOTE, sbom, xml_sbom

JSON, XML = "application/json", "application/xml"

XML_COMPONENTS = f"""
<metadata><component type="application"><name>Archive One</name></component>
  <tools><components><component type="application"><name>a tool</name></component></components></tools></metadata>
<components>
  <component type="library">
    <supplier><name>{LOG4J["supplier"]["name"]}</name></supplier>
    <group>{LOG4J["group"]}</group><name>{LOG4J["name"]}</name><version>{LOG4J["version"]}</version>
    <hashes><hash alg="SHA-256">{LOG4J["hashes"][0]["content"]}</hash></hashes>
    <licenses><license><name>Apache-2.0</name></license></licenses>
    <cpe>{LOG4J["cpe"]}</cpe><purl>{LOG4J["purl"]}</purl>
    <pedigree><ancestors><component type="library"><name>ancestor</name></component></ancestors></pedigree>
    <components><component type="application"><name>PostgreSQL</name><version>16.4</version></component></components>
  </component>
</components>"""


def test_json_and_xml_say_the_same() -> None:
    """Nested components are software; what the SBOM is about, its tools and ancestors are not."""
    from_json = read_sbom(sbom(LOG4J | {"components": [POSTGRES]}), JSON)
    assert from_json == read_sbom(xml_sbom(XML_COMPONENTS), XML)
    log4j, postgres = from_json.items
    assert log4j == Item(
        type="library",
        name="org.apache.logging.log4j/log4j-core",
        version="2.17.0",
        purl=LOG4J["purl"],
        cpe=LOG4J["cpe"],
        supplier="The Apache Software Foundation",
        hashes={"SHA-256": "ab" * 32},
    )
    assert (postgres.name, postgres.version, postgres.purl) == ("PostgreSQL", "16.4", None)


def test_what_stands_twice_is_read_once() -> None:
    """Two versions of one thing are two."""
    found = read_sbom(sbom(POSTGRES, POSTGRES, POSTGRES | {"version": "17"}), JSON)
    assert [item.version for item in found.items] == ["16.4", "17"]


@pytest.mark.parametrize("version", ["1.4", "1.5", "1.6"])
def test_versions_of_the_standard(version: str) -> None:
    """In both forms."""
    namespace = f"http://cyclonedx.org/schema/bom/{version}"
    assert read_sbom(sbom(specVersion=version), JSON) == Sbom(version, ())
    assert read_sbom(xml_sbom("<components/>", namespace), XML) == Sbom(version, ())


BOMB = '<!DOCTYPE b [<!ENTITY a "x"><!ENTITY c "&a;&a;">]>'


@pytest.mark.parametrize(
    ("raw", "media_type", "rule"),
    [
        (sbom(specVersion="1.3"), JSON, "1.4, 1.5, 1.6"),
        (sbom(bomFormat="SPDX"), JSON, "CycloneDX"),
        (b"[]", JSON, "CycloneDX"),
        (b"\xff", JSON, "CycloneDX"),
        (sbom({"type": "library"}), JSON, "name"),
        (sbom({"type": "toaster", "name": "x"}), JSON, "toaster"),
        (sbom(POSTGRES | {"name": " "}), JSON, "components[0] a name"),
        (sbom(POSTGRES | {"name": "a\nb"}), JSON, "control character"),
        (sbom(POSTGRES | {"version": "9" * 201}), JSON, "components[0].version"),
        (sbom(POSTGRES | {"purl": "http://x"}), JSON, "valid purl"),
        (sbom(POSTGRES | {"cpe": "cpe"}), JSON, "valid cpe"),
        (sbom(POSTGRES | {"hashes": [{"alg": "SHA-256", "content": "xyz"}]}), JSON, "components[0].hashes"),
        (sbom(POSTGRES | {"hashes": [{"alg": "CRC", "content": "ab" * 16}]}), JSON, "components[0].hashes"),
        (b'{"components":' * 20_000, JSON, "CycloneDX"),
        (b'{"bomFormat":"CycloneDX","specVersion":"1.6","components":['
         + b'{"type":"file","name":"a","components":[' * 60 + b"]}" * 60 + b"]}", JSON, "nest"),
        (xml_sbom("", "http://example.org/"), XML, "CycloneDX"),
        (b"<bom/>", XML, "CycloneDX"),
        (b"<bom", XML, "well-formed"),
        (BOMB.encode() + b"<bom>&c;</bom>", XML, "document type"),
        (b'<?xml version="1.0" encoding="no-such"?><bom/>', XML, "well-formed"),
        (xml_sbom("<components><component type='library'/></components>"), XML, "name"),
        (f"<bom xmlns='{NAMESPACE}'>{'<a>' * 200}".encode(), XML, "deep"),
        (b"SPDXVersion: SPDX-2.3", "text/plain", "JSON or XML"),
    ],
)  # fmt: skip
def test_what_is_refused(raw: bytes, media_type: str, rule: str) -> None:
    """Each with a rule that says what and where."""
    with pytest.raises(NotTaken) as refused:
        read_sbom(raw, media_type)
    assert rule in str(refused.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["library", "pkg:a/b", "1.6"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*LOG4J, "components"]), inner),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([*LOG4J, "components"]))
def test_any_json_is_read_or_refused(value: Any, field: str) -> None:
    """Whatever stands in the place of a field."""
    component = LOG4J | {field: value}
    try:
        read = read_sbom(sbom(component), JSON)
    except NotTaken:
        return
    assert all(item.name and len(item.name) < 1000 for item in read.items)


@given(st.binary(max_size=200), st.sampled_from([JSON, XML]))
def test_any_bytes_are_read_or_refused(raw: bytes, media_type: str) -> None:
    """Also in the middle of what is well-formed."""
    whole = {JSON: sbom(LOG4J), XML: xml_sbom(XML_COMPONENTS)}[media_type]
    middle = len(whole) // 2
    for spoilt in (raw, whole[:middle] + raw + whole[middle:], whole[:middle]):
        try:
            read_sbom(spoilt, media_type)
        except NotTaken:
            continue


def test_difference_tells_what_came_went_and_changed() -> None:
    """A thing in one version each that is not the same has changed; a purl tells what is the same thing."""
    newer = LOG4J | {"version": "2.24.1", "purl": LOG4J["purl"].replace("2.17.0", "2.24.1")}
    before = read_sbom(sbom(LOG4J, POSTGRES), JSON).items
    after = read_sbom(sbom(newer, REMOTE), JSON).items
    found = difference(before, after)
    assert [(one.name, one.before, one.after) for one in found.changed] == [
        ("org.apache.logging.log4j/log4j-core", "2.17.0", "2.24.1")
    ]
    assert [one.name for one in found.added] == ["RemoteHelp"]
    assert [one.name for one in found.removed] == ["PostgreSQL"]
    back = difference(after, before)
    assert (back.added, back.removed) == (found.removed, found.added)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", None])), max_size=8))
def test_nothing_differs_from_itself(named: list[tuple[str, str | None]]) -> None:
    """In whatever order it stands."""
    items = [Item("library", name, version, None, None, None, {}) for name, version in named]
    found = difference(items, items[::-1])
    assert found == Difference(added=[], removed=[], changed=[])


def test_large_sbom_is_refused_by_its_number_of_components() -> None:
    """What no asset has is not stored."""
    many = [{"type": "file", "name": str(number)} for number in range(100_001)]
    with pytest.raises(NotTaken, match="100000 components"):
        read_sbom(json.dumps(json.loads(sbom()) | {"components": many}).encode(), JSON)
