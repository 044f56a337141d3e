"""The first challenge: its data, its model, its contract, and the copies that candidates are given."""

from __future__ import annotations

import filecmp
import gzip
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema_rs
import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from harness.challenge import HOME, load
from harness.submission import digest
from harness.verify import verify

FOLDER = HOME / "fraud_detection"
PUBLIC = FOLDER / "public"
TEMPLATE = HOME.parent / "candidate_template"
REFERENCE = FOLDER / "submissions" / "reference"
COPIES = (TEMPLATE, REFERENCE)


@pytest.fixture(scope="module")
def challenge():
    return load(FOLDER)


@pytest.fixture(scope="module")
def data(challenge):
    return challenge.data


@pytest.fixture(scope="module")
def many(data):
    return data.labelled(40_000, np.random.default_rng(1))


@pytest.fixture(scope="module")
def models(challenge, tmp_path_factory):
    """Models by version and seed, saved once."""
    folder, saved = tmp_path_factory.mktemp("models"), {}

    def get(version, seed, again=0):
        path = folder / f"{version}-{seed}-{again}"
        if path not in saved:
            challenge.model.save(path, version, seed)
            saved[path] = mlflow.sklearn.load_model(str(path))
        return path, saved[path]

    return get


def test_the_challenge_is_valid(challenge):
    verify(challenge)


# The data.


def test_the_same_seed_gives_the_same_rows_in_any_number(data):
    for rows in (0, 1, 2000):
        one, two = (data.sample(rows, np.random.default_rng(7)) for _ in range(2))
        pd.testing.assert_frame_equal(one, two)
        assert list(one.columns) == list(data.FEATURES)
        assert len(one) == rows
    assert not data.sample(50, np.random.default_rng(8)).equals(data.sample(50, np.random.default_rng(7)))


def test_every_numeric_column_is_a_double_of_few_digits(data, many):
    assert (many[list(data.NUMERIC)].dtypes == np.float64).all()
    assert all(isinstance(value, str) for name in data.CATEGORICAL for value in many[name].unique())
    longest = max(len(json.dumps(row)) for row in many[list(data.FEATURES)].head(1000).to_numpy().tolist())
    assert longest < 120


def test_marginals_are_those_of_card_transactions(many):
    assert 0.03 < many["is_fraud"].mean() < 0.05
    assert (many[["amount", "avg_amount_30d"]] > 0).all(axis=None)
    assert many["hour"].isin(range(24)).all()
    assert many["merchant_risk"].dropna().between(0, 1).all()
    for skewed in ("amount", "account_age_days", "distance_km", "transactions_24h"):
        assert many[skewed].skew() > 1.2, skewed
    hours = many["hour"].value_counts(sort=False).reindex(range(24), fill_value=0)
    assert hours[15] < hours[12]
    assert hours[15] < hours[18]
    shares = many["country"].value_counts(normalize=True)
    assert len(shares) == 10
    assert shares.iloc[0] > 10 * shares.iloc[-1]


def test_features_depend_on_each_other(many):
    correlations = many.corr("spearman", numeric_only=True)
    assert correlations.loc["amount", "avg_amount_30d"] > 0.4
    assert correlations.loc["account_age_days", "transactions_24h"] < -0.1
    distances = many.groupby("channel")["distance_km"].median()
    assert distances["online"] > 5 * distances["contactless"]
    amounts = many.groupby("channel")["amount"].median()
    assert amounts["atm"] > 2 * amounts["contactless"]


def test_values_are_missing_by_channel_and_country_not_by_value(data, many):
    missing = many[list(data.FEATURES)].isna().mean()
    assert set(missing[missing > 0].index) == {"merchant_risk", "account_age_days"}
    assert missing[["merchant_risk", "account_age_days"]].between(0.03, 0.06).all()
    by_channel = many["merchant_risk"].isna().groupby(many["channel"]).mean()
    assert by_channel["online"] > by_channel["contactless"] + 0.01


def test_rows_are_independent_of_their_place(data, many):
    early, late = many.head(20_000), many.tail(20_000)
    for name in data.NUMERIC:
        assert stats.ks_2samp(early[name].dropna(), late[name].dropna()).pvalue > 0.001, name
        assert abs(many[name].autocorr(1)) < 0.02, name


# The model.


def test_the_published_model_is_what_the_code_makes(models):
    path, made = models(1, 0)
    published = mlflow.sklearn.load_model(str(PUBLIC / "model"))
    np.testing.assert_allclose(made[-1].coef_, published[-1].coef_, rtol=1e-9)
    np.testing.assert_allclose(made[-1].intercept_, published[-1].intercept_, rtol=1e-9)
    same = ("reference.csv.gz", "input_example.json", "serving_input_example.json", "requirements.txt")
    assert filecmp.cmpfiles(path, PUBLIC / "model", same, shallow=False) == (list(same), [], [])
    ours, theirs = (yaml.safe_load((folder / "MLmodel").read_text()) for folder in (path, PUBLIC / "model"))
    assert ours["signature"] == theirs["signature"]
    assert ours["metadata"] == {"name": "fraud_detection", "version": "1", "reference": "reference.csv.gz"}


@pytest.mark.parametrize("copy", COPIES, ids=lambda path: path.name)
def test_copies_of_the_published_model_are_identical(copy):
    assert digest(copy / "model") == digest(PUBLIC / "model")


def test_the_same_seed_gives_the_same_model_and_another_a_clearly_different_one(data, models):
    rows = data.sample(2000, np.random.default_rng(3))
    answers = {key: models(*key)[1].predict_proba(rows)[:, 1] for key in ((1, 0), (2, 0), (2, 2**63 + 5))}
    np.testing.assert_allclose(models(2, 0, again=1)[1].predict_proba(rows)[:, 1], answers[2, 0], rtol=1e-9)
    for one, two in (((1, 0), (2, 0)), ((2, 0), (2, 2**63 + 5))):
        assert (np.abs(answers[one] - answers[two]) > 1e-3).mean() > 0.5
    signatures = {yaml.safe_load((models(*key)[0] / "MLmodel").read_text())["signature"]["inputs"] for key in answers}
    assert len(signatures) == 1


@pytest.mark.parametrize("key", [(1, 0), (2, 2**63 + 5)])
def test_every_feature_matters_to_the_model(data, models, key):
    rows = data.sample(500, np.random.default_rng(4))
    model = models(*key)[1]
    before = model.predict_proba(rows)[:, 1]
    for name in data.FEATURES:
        changed = rows.assign(**{name: rows[name].sample(frac=1, random_state=1).to_numpy()})
        assert np.abs(model.predict_proba(changed)[:, 1] - before).max() > 0.01, name


def test_pyfunc_gives_both_probabilities_and_takes_nulls_and_new_categories(data):
    rows = data.sample(20, np.random.default_rng(5)).assign(country="XX")
    rows.loc[0, "merchant_risk"] = np.nan
    answer = mlflow.pyfunc.load_model(str(PUBLIC / "model")).predict(rows)
    expected = mlflow.sklearn.load_model(str(PUBLIC / "model")).predict_proba(rows)
    np.testing.assert_array_equal(answer, expected)
    assert answer.shape == (20, 2)


def test_the_reference_sample_is_large_enough_and_drawn_from_the_same_population(data, models):
    text = gzip.decompress((models(2, 0)[0] / "reference.csv.gz").read_bytes()).decode()
    reference = pd.read_csv(pd.io.common.StringIO(text), keep_default_na=False, na_values=[""])
    assert list(reference.columns) == list(data.FEATURES)
    assert len(reference) >= 5000
    rows = data.sample(5000, np.random.default_rng(6))
    for name in data.NUMERIC:
        assert stats.ks_2samp(reference[name].dropna(), rows[name].dropna()).pvalue > 0.001, name


# What candidates are given.


@pytest.fixture(scope="module")
def contract():
    return json.loads((PUBLIC / "openapi.json").read_text("utf-8"))


def validator(contract, name):
    return jsonschema_rs.validator_for({**contract, "$ref": f"#/components/schemas/{name}"})


def test_the_sample_request_has_the_sample_response(contract):
    request = json.loads((PUBLIC / "sample_request.json").read_text())
    response = json.loads((PUBLIC / "sample_response.json").read_text())
    assert validator(contract, "DataframeRecords").is_valid(request)
    assert validator(contract, "Predictions").is_valid(response)
    rows = pd.DataFrame(request["dataframe_records"]).astype({"account_age_days": float, "merchant_risk": float})
    expected = mlflow.sklearn.load_model(str(PUBLIC / "model")).predict_proba(rows)
    np.testing.assert_allclose(response["predictions"], expected, rtol=1e-9)


def test_the_contract_takes_real_rows_and_refuses_broken_ones(contract, data):
    rows = data.sample(50, np.random.default_rng(9))
    values = rows.astype(object).where(rows.notna(), None).to_numpy().tolist()
    split = validator(contract, "DataframeSplit")
    assert split.is_valid({"dataframe_split": {"columns": list(rows.columns), "data": values}})
    for broken in ([values[0][:-1]], [["a lot", *values[0][1:]]], [[*values[0], 1]]):
        assert not split.is_valid({"dataframe_split": {"columns": list(rows.columns), "data": broken}})


def test_brief_and_contract_name_the_same_routes(contract):
    brief = (FOLDER / "brief.md").read_text("utf-8")
    routes = set(re.findall(r"`(?:GET|POST) (/[\w/]+)`", brief))
    assert routes == set(contract["paths"])


def test_the_brief_says_what_the_rubric_gives(challenge):
    points = Counter()
    for criterion in challenge.spec.rubric.criteria:
        points[criterion.skill.value] += criterion.points
    rows = re.findall(r"^\| ([\w/]+) \| (\d+) \| (.*) \|$", (FOLDER / "brief.md").read_text("utf-8"), re.MULTILINE)
    said = {skill.lower(): int(total) for skill, total, _ in rows}
    assert said == points
    for skill, total, parts in rows:
        assert sum(map(int, re.findall(r"\b(\d+)(?=[,;)]|$| and )", re.sub(r"\(.*?\)", "", parts)))) == int(total), (
            skill
        )


@pytest.mark.parametrize("copy", COPIES, ids=lambda path: path.name)
def test_lock_files_pin_the_model_s_versions_by_hash_and_name_no_index(copy):
    needs = [line for line in (copy / "model" / "requirements.txt").read_text().split() if "mlflow" not in line]
    for name in ("requirements.lock", "requirements-dev.lock"):
        lock = (copy / name).read_text()
        assert not re.search(r"https?:|--(?:extra-)?index-url|--find-links", lock)
        assert all(f"{need} \\\n    --hash=" in lock for need in needs)


@pytest.mark.slow
@pytest.mark.parametrize("copy", COPIES, ids=lambda path: path.name)
def test_their_own_tests_and_linters_pass(copy, tmp_path):
    # A copy: what tests leave behind would change the submission's digest.
    shutil.copytree(copy, tmp_path / "copy", ignore=shutil.ignore_patterns("__pycache__", ".venv"))
    tools = Path(sys.executable).parent
    for command in (["pytest", "-q"], ["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        command[0] = str(tools / command[0])
        done = subprocess.run(command, cwd=tmp_path / "copy", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
