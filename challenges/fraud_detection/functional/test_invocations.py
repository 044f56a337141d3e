"""Predictions: are they the model's, whatever form, size and company the rows come in?

Only one test sends missing values, and one unknown categories: a service that refuses them fails that one.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness import kit

TOLERANCE = 1e-6
NULLABLE = ("account_age_days", "merchant_risk")
CATEGORICAL = ("merchant_category", "channel", "country")


def test_single_row(service: kit.Service, rows: kit.Rows):
    """One row sent to POST /invocations as dataframe_split is answered 200 with one prediction."""
    kit.predict(service, complete(rows, 1))


@kit.needs("single_row")
def test_predictions_match_the_model(service: kit.Service, model: kit.Model, rows: kit.Rows):
    """The predictions of 200 rows are those of the model, to 1e-6."""
    frame = complete(rows, 200)
    message = "The predictions differ from the model's; serve what its pyfunc flavour predicts, unchanged"
    kit.expect_equal(kit.predict(service, frame), model.predict(frame), message, tolerance=TOLERANCE)


@kit.needs("single_row")
def test_split_and_records_agree(service: kit.Service, rows: kit.Rows):
    """The same rows get the same predictions as dataframe_split and as dataframe_records."""
    frame = complete(rows, 50)
    message = "dataframe_records gets other predictions than dataframe_split"
    split, records = kit.predict(service, frame), kit.predict(service, frame, kit.records)
    kit.expect_equal(records, split, message, tolerance=TOLERANCE)


@kit.needs("single_row")
def test_batch_equals_row_by_row(service: kit.Service, rows: kit.Rows):
    """A batch of 20 rows gets the predictions that its rows get one by one."""
    frame = complete(rows, 20)
    single = [kit.predict(service, frame.iloc[[n]])[0] for n in range(len(frame))]
    message = "A batch gets other predictions than its rows one by one; each row must be scored on its own"
    kit.expect_equal(kit.predict(service, frame), single, message, tolerance=TOLERANCE)


@kit.needs("single_row")
def test_same_row_same_answer(service: kit.Service, rows: kit.Rows):
    """One row gets the same prediction alone and in two batches of different rows."""
    row, batches = complete(rows, 1), (complete(rows, 30), complete(rows, 30).nlargest(10, "amount"))
    alone = kit.predict(service, row)[0]
    for frame in batches:
        frame.iloc[7] = row.iloc[0]
        message = f"A row's prediction changes with the {len(frame) - 1} others in its request; fit nothing on requests"
        kit.expect_equal(kit.predict(service, frame)[7], alone, message, tolerance=TOLERANCE)


@kit.needs("single_row")
def test_order_is_kept(service: kit.Service, rows: kit.Rows):
    """Predictions stand in the order of the rows: reversed rows get the predictions reversed."""
    frame = complete(rows, 60)
    forward, backward = kit.predict(service, frame), kit.predict(service, frame.iloc[::-1])
    message = "Reversed rows do not get the predictions in reverse; the n-th prediction must be the n-th row's"
    kit.expect_equal(backward[::-1], forward, message, tolerance=TOLERANCE)


@kit.needs("single_row")
def test_large_batch(service: kit.Service, model: kit.Model, rows: kit.Rows):
    """2,000 rows in one request are all answered, with the model's predictions, within 30 s."""
    frame = complete(rows, 2000)
    observed = kit.predict(service, frame, seconds=30)
    kit.expect_equal(observed, model.predict(frame), "2,000 rows differ from the model's", tolerance=TOLERANCE)


@kit.needs("single_row")
def test_missing_values_are_imputed(service: kit.Service, model: kit.Model, rows: kit.Rows):
    """A null in account_age_days or merchant_risk is left to the model's imputer, in any or all rows of a request."""
    for name in NULLABLE:
        some = complete(rows, 10)
        some.loc[::3, name] = np.nan
        nothing_else = some.assign(**{name: np.nan})
        message = f"Rows with null in {name} do not get the model's predictions; pass nulls on to the model"
        for part in (some, nothing_else, some.head(1)):
            for form in (kit.split, kit.records):
                observed = kit.predict(service, part, form)
                kit.expect_equal(observed, model.predict(part), message, tolerance=TOLERANCE)


@kit.needs("single_row")
def test_unknown_category_is_accepted(service: kit.Service, model: kit.Model, rows: kit.Rows):
    """A category that the model has never seen is scored, as the model scores it."""
    for name in CATEGORICAL:
        frame = complete(rows, 10)
        frame[name] = "never-seen"
        message = f"Rows with an unknown {name} do not get the model's predictions; the model's encoder ignores it"
        kit.expect_equal(kit.predict(service, frame), model.predict(frame), message, tolerance=TOLERANCE)


@kit.needs("single_row")
def test_mounted_model_is_followed(mounted_service: kit.Service, mounted_model: kit.Model, rows: kit.Rows):
    """With another model mounted and named by MODEL_URI, the predictions are that model's."""
    frame = complete(rows, 200)
    message = "The predictions are not the mounted model's; load the model from the folder that MODEL_URI names"
    kit.expect_equal(kit.predict(mounted_service, frame), mounted_model.predict(frame), message, tolerance=TOLERANCE)


def complete(rows: kit.Rows, n: int) -> pd.DataFrame:
    """Rows without missing values, of which fewer than one in ten has any."""
    return rows(2 * n + 20).dropna().head(n).reset_index(drop=True)
