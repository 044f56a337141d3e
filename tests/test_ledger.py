"""Where the time of a stage went."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.ledger import split

spans = st.lists(
    st.tuples(st.sampled_from(["measuring", "serving", "building"]), st.floats(-5, 15), st.floats(0, 10)).map(
        lambda s: (s[0], s[1], s[1] + s[2])
    ),
    max_size=12,
)


def test_a_moment_counts_once_and_measuring_comes_first():
    line = split([("serving", 0, 4), ("measuring", 2, 6), ("building", 5, 8)], 0, 10)
    assert (line.serving, line.measuring, line.building, line.own, line.wall) == (2, 4, 2, 2, 10)


@given(spans)
def test_the_parts_add_up_to_the_wall_time(collected):
    line = split(collected, 0.0, 10.0)
    assert abs(line.building + line.serving + line.measuring + line.own - line.wall) < 0.05
    assert min(line.building, line.serving, line.measuring, line.own) >= 0
