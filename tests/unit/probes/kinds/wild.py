"""What hostile peers may have made a probe see: any text, any numbers, much of both."""

from hypothesis import strategies as st

from services.probes.kinds.domain import Observation

anything = st.characters(exclude_categories=())
texts = st.one_of(
    st.text(anything, max_size=40),
    st.builds(lambda char, times: char * times, anything, st.integers(0, 3000)),
    st.sampled_from(["\x00", "\ud800", "a\x00b" * 400, "\ufffd" * 2000, '"' * 2000, "\n" * 2000, "\U0010ffff" * 2000]),
)
names = st.one_of(texts, st.integers(0, 300).map(lambda number: f"{number:0>70}"))
numbers = st.one_of(st.floats(), st.sampled_from([float("nan"), float("inf"), -float("inf"), 1e308, 5e-324, 10**400]))
crowds = st.integers(0, 300)


def many(values: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Few of any names, or a crowd of long ones."""
    crowd = st.builds(lambda count, value: {f"{n:🩻<63}": value for n in range(count)}, crowds, values)
    return st.one_of(st.dictionaries(names, values, max_size=8), crowd)


observations = st.builds(
    Observation,
    outcome=st.sampled_from(["ok", "degraded", "failed", "probe_error"]),
    failure=st.none() | texts,
    detail=texts,
    phases=many(numbers),
    rejection=st.none() | st.tuples(*[st.integers(-1, 2**40)] * 3),
    status=st.none() | texts,
    measures=many(numbers),
    facts=many(texts),
)
