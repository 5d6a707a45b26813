"""People over HTTP and on the bus."""

import asyncio
from typing import Any

from tests.harness import Harness
from tests.integration.inventory.requests import HOSTILE, NOBODY, PEOPLE, PERSON, check_malformed, post, without


async def test_registered_person_is_published_with_the_site(steward: Harness) -> None:
    """person.changed carries the full state; the site is in the envelope."""
    answer = await steward.as_("alice", "site-admin:north").post(PEOPLE, json=PERSON)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    event = await steward.heard.until("person.changed")
    assert (event.subject, event.site_id, event.actor) == (answer.json()["id"], "north", "alice")
    told = event.data.model_dump()
    assert told == told | without(PERSON, "site_id") | {"active": True, "version": 1}


async def test_change_is_published_with_the_next_version(steward: Harness) -> None:
    """428 without If-Match, 412 on an old version, 200 on the seen one; who is not active is told so."""
    person = await post(steward, PEOPLE, PERSON)
    url = f"{PEOPLE}/{person['id']}"
    body = {"name": "Ada Lund", "email": "ada@klinik-münchen.example", "roles": ["admin"], "active": False}
    assert (await steward.admin.put(url, json=body)).status_code == 428
    answer = await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})
    assert answer.json() == person | body | {"version": 2}
    assert (await steward.admin.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 412
    event = await steward.heard.until("person.changed", lambda event: event.data.version == 2)
    assert (event.data.active, event.data.email) == (False, "ada@klinik-münchen.example")
    assert (await steward.admin.get(url)).json() == answer.json()


async def test_what_somebody_can_do_and_how_they_sign_in_is_kept(steward: Harness) -> None:
    """Roles, phone, login, employer and competences come back as they were sent, over REST and on the bus."""
    vendor = await post(steward, "/inventory/v1/vendors", {"name": "Northlight"})
    competence = {"name": "Archive One", "level": "expert", "since": "2025-04-01", "until": None, "evidence": "AO-4711"}
    known = {
        "roles": ["clinical_owner", "vendor"],
        "phone": "+49 30 555 01-23",
        "login": "ada@northlight",
        "employer_id": vendor["id"],
        "competences": [competence],
    }
    person = await post(steward, PEOPLE, PERSON | known)
    assert person == person | known
    event = await steward.heard.until("person.changed")
    assert event.data.model_dump(mode="json") == event.data.model_dump(mode="json") | known
    other = await post(steward, PEOPLE, PERSON | {"email": "eda@example.org", "roles": ["it"]})
    for asked, found in (({"role": "it"}, other), ({"competence": "Archive One"}, person)):
        assert (await steward.admin.get(PEOPLE, params=asked)).json()["items"] == [found], asked


async def test_a_login_is_one_persons_at_a_site(steward: Harness) -> None:
    """409 for a second one, also at once; the same person may be known at another site too."""
    bodies = [PERSON | {"email": f"{name}@example.org", "login": "ada"} for name in ("ada", "eda")]
    made = await asyncio.gather(*(steward.admin.post(PEOPLE, json=body) for body in bodies))
    assert sorted(answer.status_code for answer in made) == [201, 409]
    await post(steward, PEOPLE, PERSON | {"site_id": "south", "login": "ada"})
    await post(steward, PEOPLE, PERSON | {"email": "no-login@example.org"})
    await post(steward, PEOPLE, PERSON | {"email": "neither@example.org"})


async def test_vendor_staff_have_an_employer(steward: Harness) -> None:
    """422 without one, 404 for one that is not there; a competence does not end before it begins."""
    check_malformed(await steward.admin.post(PEOPLE, json=PERSON | {"roles": ["vendor"]}), "employer_id")
    assert (await steward.admin.post(PEOPLE, json=PERSON | {"employer_id": NOBODY})).status_code == 404
    turned = {"name": "X", "level": "basic", "since": "2025-04-01", "until": "2025-03-31"}
    check_malformed(await steward.admin.post(PEOPLE, json=PERSON | {"competences": [turned]}), "competences.0.until")


async def test_address_is_taken_once_a_site(steward: Harness) -> None:
    """In any spelling; another site may have the same person."""
    await post(steward, PEOPLE, PERSON)
    other = await post(steward, PEOPLE, PERSON | {"email": "eda@north.example.org"})
    twin = {"email": "Ada.Berg@NORTH.example.org"}
    assert (await steward.admin.post(PEOPLE, json=PERSON | twin)).status_code == 409
    changed = await steward.admin.put(
        f"{PEOPLE}/{other['id']}",
        json=without(PERSON, "site_id") | {"active": True} | twin,
        headers={"If-Match": '"1"'},
    )
    assert changed.status_code == 409
    await post(steward, PEOPLE, PERSON | {"site_id": "south"})


async def test_of_simultaneous_registrations_and_changes_one_wins(steward: Harness) -> None:
    """Two POSTs of one address: 201 and 409. Two PUTs on one version: 200 and 412."""
    made = await asyncio.gather(*(steward.admin.post(PEOPLE, json=PERSON) for _ in range(2)))
    assert sorted(answer.status_code for answer in made) == [201, 409]
    [person] = (await steward.admin.get(PEOPLE)).json()["items"]
    body = without(PERSON, "site_id") | {"active": False}
    changed = await asyncio.gather(
        *(
            steward.admin.put(f"{PEOPLE}/{person['id']}", json=body | {"name": name}, headers={"If-Match": '"1"'})
            for name in ("Ada", "Eda")
        )
    )
    assert sorted(answer.status_code for answer in changed) == [200, 412]


async def test_people_of_others_do_not_exist_for_you(steward: Harness) -> None:
    """A site-admin of south neither sees nor changes north's people; a viewer of north sees and can't change."""
    person = await post(steward, PEOPLE, PERSON)
    body = without(PERSON, "site_id") | {"active": True}
    south = steward.as_("bob", "site-admin:south")
    assert (await south.get(PEOPLE, params={"site_id": "north"})).json() == {"items": [], "next": None}
    assert (await south.post(PEOPLE, json=PERSON | {"email": "x@example.org"})).status_code == 404
    for theirs in (person["id"], NOBODY):
        answers = [
            await south.get(f"{PEOPLE}/{theirs}"),
            await south.put(f"{PEOPLE}/{theirs}", json=body, headers={"If-Match": '"1"'}),
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert {answer.json()["detail"] for answer in answers} == {f"no person {theirs}"}
    viewer = steward.as_("eve", "viewer:north", "site-admin:south")
    url = f"{PEOPLE}/{person['id']}"
    assert (await viewer.get(url)).json() == person
    assert (await viewer.put(url, json=body, headers={"If-Match": '"1"'})).status_code == 403


async def test_lists_are_by_site_and_in_pages(steward: Harness) -> None:
    """``site_id`` chooses; the cursor leads on."""
    north = await post(steward, PEOPLE, PERSON)
    south = await post(steward, PEOPLE, PERSON | {"site_id": "south"})
    chosen = (await steward.admin.get(PEOPLE, params={"site_id": "south"})).json()
    assert chosen == {"items": [south], "next": None}
    first = (await steward.admin.get(PEOPLE, params={"limit": 1})).json()
    assert first["items"] == [north]
    assert (await steward.admin.get(PEOPLE, params={"limit": 1, "cursor": first["next"]})).json()["items"] == [south]


async def test_malformed_person_is_refused_field_by_field(steward: Harness) -> None:
    """422 names the field, the rule and an example for each of them, and nothing is stored."""
    bad_addresses = ["ada", "ada@north@example.org", "ada@example.org\r\nBcc: eve@x.org", "a" * 250 + "@example.org", 7]
    faults: list[tuple[str, dict[str, Any]]] = [
        *(("email", {"email": address}) for address in bad_addresses),
        ("roles", {"roles": []}),
        ("roles.0", {"roles": ["nurse"]}),
        ("active", {"active": "yes"}),
        ("name", {"name": "x" * 10_000}),
        ("name", {"name": "Ada\r\nBcc: eve@example.org"}),
        ("phone", {"phone": "1"}),
        ("login", {"login": "ada berg"}),
        ("employer_id", {"employer_id": "Northlight"}),
        ("competences.0.level", {"competences": [{"name": "X", "level": "wizard", "since": "2025-04-01"}]}),
        ("competences.0.since", {"competences": [{"name": "X", "level": "basic", "since": 0}]}),
        ("fax", {"fax": "1"}),
        ("site_id", {"site_id": "../north"}),
    ]
    for field, change in faults:
        check_malformed(await steward.admin.post(PEOPLE, json=PERSON | change), field)
    assert (await steward.admin.get(PEOPLE)).json()["items"] == []


async def test_unreadable_bodies_and_absent_sites_are_refused(steward: Harness) -> None:
    """Broken JSON is 422, 2 MiB are 413, a site that is not there is 404."""
    for content in HOSTILE:
        answer = await steward.admin.post(PEOPLE, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422, content[:40]
    assert (await steward.admin.post(PEOPLE, json=PERSON | {"name": "x" * 2 * 1024 * 1024})).status_code == 413
    assert (await steward.admin.post(PEOPLE, json=PERSON | {"site_id": "west"})).status_code == 404
