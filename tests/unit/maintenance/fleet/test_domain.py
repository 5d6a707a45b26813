"""What is kept of inventory's word on a system's software while patches are on their way to it."""

from hypothesis import given
from hypothesis import strategies as st

from services.maintenance.fleet.domain import System, after_patch, after_report

VERSIONS = st.sampled_from(["1.0", "1.1", "2.0", "3.0"])


def reported(version: int, software: str | None, name: str = "Archive") -> System:
    """A system as inventory tells of it."""
    return System(id="s1", site_id="north", name=name, state="in_service", version=version, reported_version=software)


def test_first_report_is_kept_as_it_is() -> None:
    """There is nothing to weigh it against."""
    assert after_report(None, reported(4, "1.0")) == reported(4, "1.0")


def test_older_report_does_not_put_a_system_back() -> None:
    """Neither an older version nor the same one again changes anything."""
    known = reported(4, "2.0")
    assert after_report(known, reported(3, "1.0")) is known
    assert after_report(known, reported(4, "1.0")) is known


def test_newer_report_from_before_the_patch_does_not_undo_it() -> None:
    """Inventory renamed the system before the patch reached it: the name is taken, the software is not."""
    patched = after_patch(reported(1, "1.0"), "2.0")
    renamed = after_report(patched, reported(2, "1.0", "Archive A"))
    assert (renamed.name, renamed.software_version) == ("Archive A", "2.0")


def test_report_of_a_patched_version_confirms_it_and_those_before() -> None:
    """What was patched after it stays in force."""
    system = after_patch(after_patch(after_patch(reported(1, "1.0"), "1.1"), "2.0"), "3.0")
    told = after_report(system, reported(2, "2.0"))
    assert (told.unconfirmed, told.software_version) == (("3.0",), "3.0")


def test_report_of_a_version_nobody_patched_to_overrules() -> None:
    """Inventory is the owner of the fleet's state; a correction by hand there counts."""
    system = after_patch(reported(1, "1.0"), "2.0")
    told = after_report(system, reported(2, "1.9"))
    assert (told.unconfirmed, told.software_version) == ((), "1.9")


@given(VERSIONS, st.lists(VERSIONS, max_size=6), st.data())
def test_last_patch_stays_in_force_however_inventory_catches_up(
    first: str, patches: list[str], data: st.DataObject
) -> None:
    """While inventory applies the patches in order and changes other fields in between, the last one counts."""
    chain = [v for v, before in zip(patches, [first, *patches], strict=False) if v != before]
    system = reported(1, first)
    for to_version in chain:
        system = after_patch(system, to_version)
    version, last = 1, [first, *chain][-1]
    for software in [first, *chain]:
        for _ in range(data.draw(st.integers(1, 2))):
            version += 1
            system = after_report(system, reported(version, software))
            assert system.software_version == last
    assert system.unconfirmed == ()
