"""What the exam sends: the changes, the runs, and how rows become requests."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sitting import SETTINGS, made, sampler

from harness.drift.arms import CONDITIONS, as_sent, build
from harness.drift.changes import LEAST_DISTANCE, Change, choose, ramp
from harness.drift.settings import KINDS, Kind, Settings
from harness.drift.traffic import SPOILT, requests, spoil
from harness.errors import ChallengeError

ROWS = 2000


def changed(kind: Kind, seed: int, **settings: object) -> tuple[Change, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A change, the rows it made, the same rows unchanged, and the reference."""
    reference = made(0)[1]
    fresh = sampler()(ROWS, np.random.default_rng(seed))
    chosen = SETTINGS.model_copy(update=settings)
    change = choose(kind, chosen, reference, np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    return change, change.draw(ROWS, lambda rows: sampler()(rows, rng)), fresh, reference


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "subpopulation"])
@pytest.mark.parametrize("seed", range(3))
def test_a_change_changes_one_feature_and_no_other(kind: Kind, seed: int):
    change, after, before, _ = changed(kind, seed)
    others = [name for name in before if name != change.feature]
    pd.testing.assert_frame_equal(after[others], before[others])
    assert not after[change.feature].equals(before[change.feature])


@pytest.mark.parametrize("seed", range(5))
def test_a_sudden_shift_is_of_one_and_a_half_to_two_deviations(seed: int):
    change, after, before, reference = changed("sudden", seed)
    shift = (after[change.feature] - before[change.feature]).dropna()
    assert np.allclose(shift, shift.iloc[0])
    assert 1.49 <= shift.iloc[0] / reference[change.feature].std() <= 2.01


@pytest.mark.parametrize("seed", range(5))
def test_a_unit_change_is_large_enough_to_be_asked_for(seed: int):
    change, after, _, reference = changed("unit", seed)
    distance = ks_2samp(reference[change.feature].dropna(), after[change.feature].dropna()).statistic
    assert distance > LEAST_DISTANCE - 0.05


def test_a_third_of_a_feature_goes_missing():
    change, after, before, _ = changed("missing", 1)
    gone = after[change.feature].isna() & before[change.feature].notna()
    assert gone.mean() == pytest.approx(0.3, abs=0.03)


def test_a_quarter_of_a_category_is_a_value_that_the_reference_does_not_have():
    change, after, _, reference = changed("new_category", 1)
    unseen = ~after[change.feature].isin(set(reference[change.feature]))
    assert unseen.mean() == pytest.approx(0.25, abs=0.03)
    assert after[change.feature][unseen].nunique() == 1


def test_a_gradual_shift_grows_over_three_quarters_of_the_rows():
    assert ramp(2000)[[0, 750, 1500, 1999]].tolist() == [0, 0.5, 1, 1]
    change, after, before, reference = changed("gradual", 2)
    shift = (after[change.feature] - before[change.feature]) / reference[change.feature].std()
    assert shift.dropna().iloc[0] == pytest.approx(0, abs=0.01)
    assert shift.dropna().is_monotonic_increasing or np.all(np.diff(shift.dropna()) > -1e-9)
    assert 1.49 <= shift.dropna().iloc[-1] <= 2.01


@pytest.mark.parametrize("seed", range(3))
def test_an_in_range_change_stays_among_the_upper_values_of_the_reference(seed: int):
    change, after, before, reference = changed("in_range", seed)
    values, usual = after[change.feature], reference[change.feature]
    assert values.dropna().isin(set(usual)).all()
    assert values.dropna().min() >= usual.quantile(0.39)
    assert values.isna().equals(before[change.feature].isna())


def test_a_sub_population_is_one_segment_with_values_like_any_other():
    change, after, _, reference = changed("subpopulation", 3)
    assert len(after) == ROWS
    assert after[change.feature].nunique() == 1
    assert set(after[change.feature]) <= set(reference[change.feature])


@pytest.mark.parametrize("value", ["BR", "no such country"])
def test_a_segment_that_is_too_small_is_the_challenge_authors_mistake(value: str):
    with pytest.raises(ChallengeError, match="of the reference"):
        changed("subpopulation", 0, segments={"country": (value,)})


def test_a_feature_that_barely_changes_is_the_challenge_authors_mistake():
    # The upper 60 % of distances are three times as far, and yet a quarter of a deviation: the tail is that long.
    with pytest.raises(ChallengeError, match="changes enough"):
        changed("in_range", 0, numeric={"distance_km": ("in_range",)})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"clean_rows": 1250}, "multiple of poll_every"),
        ({"drifted_rows": 1000}, "last two polls"),
        ({"batch": 300}, "multiple of batch"),
        ({"categorical": ()}, "'categorical'"),
        ({"segments": {}}, "'segments'"),
        ({"arms": ("sudden", "sudden")}, "once"),
        ({"arms": ("missing",), "numeric": {}}, "recovery run"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_the_reason(wrong: dict, said: str):
    with pytest.raises(ValueError, match=said):
        Settings.model_validate({**SETTINGS.model_dump(), **wrong})


def test_one_seed_gives_one_exam_and_another_seed_another():
    reference = made(0)[1]
    short = SETTINGS.model_copy(update={"clean_rows": 2, "drifted_rows": 4, "segments": {"channel": ("online",)}})
    first, again, other = (build(short, sampler(), reference, seed) for seed in (1, 1, 2))
    assert first.runs == again.runs
    assert [arm.kind for arm in first.arms] == [arm.kind for arm in again.arms]
    assert [arm.kind for arm in first.arms] != [arm.kind for arm in other.arms]


@pytest.mark.parametrize("seed", range(2))
def test_twins_differ_in_nothing_but_their_rows(seed: int):
    exam, _ = made(seed)
    assert sorted(arm.kind for arm in exam.arms) == sorted(KINDS)
    for arm in exam.arms:
        assert arm.drift.condition == arm.control.condition
        assert arm.drift.columns == arm.control.columns
        assert len(arm.drift.rows) == len(arm.control.rows) == SETTINGS.rows
    assert {arm.drift.condition for arm in exam.arms} == set(CONDITIONS)


def test_no_clean_row_is_sent_twice():
    exam, _ = made(0)
    clean = [tuple(row) for arm in exam.arms for row in arm.control.rows + arm.drift.rows[: SETTINGS.onset]]
    assert len(set(clean)) == len(clean)


def test_neither_name_nor_order_of_a_run_tells_what_it_is():
    orders = []
    for seed in range(2):
        exam, _ = made(seed)
        names = [run.name for run in exam.runs]
        assert names == [f"run-{number:02d}" for number in range(1, len(names) + 1)]
        orders.append([names.index(arm.drift.name) < names.index(arm.control.name) for arm in exam.arms])
    assert any(orders[0]) and not all(orders[0])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_row_is_sent_once_and_in_order(condition: str):
    rows = made(0)[0].runs[0].rows[:500]
    sent = [row for request in requests(rows, condition, SETTINGS, 0) if not request.spoilt for row in request.rows]
    assert sent == rows


def test_two_in_a_hundred_requests_are_malformed():
    rows = made(0)[0].runs[0].rows
    blocks = [rows[start : start + 500] for start in range(0, 3000, 500)]
    every = [
        request
        for n, block in enumerate(blocks)
        for request in requests(block, "among malformed requests", SETTINGS, n)
    ]
    spoilt = [request.spoilt for request in every if request.spoilt]
    assert len(spoilt) / len(every) == pytest.approx(0.02, abs=0.001)
    assert spoilt == list(SPOILT[:3])


def test_single_rows_come_right_before_the_poll():
    rows = made(0)[0].runs[0].rows[:500]
    sizes = [len(request.rows) for request in requests(rows, "row by row", SETTINGS, 0)]
    assert sizes == [50] * 9 + [1] * 50


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_body_differs_from_a_good_one_as_it_says(how: str):
    run = made(0)[0].runs[0]
    body = spoil(run.columns, run.rows[:10], how)
    if how == "broken JSON":
        with pytest.raises(json.JSONDecodeError):
            json.loads(body)
        return
    sent = json.loads(body)["dataframe_split"]
    widths = {len(row) for row in sent["data"]}
    assert (len(sent["columns"]) < len(run.columns)) == (how == "a missing column")
    assert (len(widths) > 1) == (how == "ragged rows")
    assert any(row[0] == "a lot" for row in sent["data"]) == (how == "text in a numeric column")


def test_missing_values_are_sent_as_null():
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]})
    assert json.dumps(as_sent(frame)) == '[[1.5, "x"], [null, null]]'
