"""The model that candidates serve: a scikit-learn pipeline, saved for MLflow with its own reference sample.

Run without arguments, this makes `public/model` again, and what is made from it; with a folder, it writes the published
model (version 1, seed 0) there:

    python challenges/fraud_detection/model.py [FOLDER]
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import logging
import shutil
import sys
import uuid
import warnings
from importlib.metadata import version as installed
from pathlib import Path
from types import ModuleType

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NAME = "fraud_detection"
PUBLISHED = (1, 0)
"""Version and seed of the published model."""
REFERENCE = "reference.csv.gz"
TRAINING_ROWS = 20_000
REFERENCE_ROWS = 6_000
ADAPTATION = 0.4
"""How far the fraud mechanism of each model lies from the common one; see `data.labelled`."""
NEEDS = ("mlflow-skinny", "cloudpickle", "numpy", "pandas", "scikit-learn")


def _sibling(name: str) -> ModuleType:
    # A challenge is loaded by path and is no package, so its modules find each other by path too.
    spec = importlib.util.spec_from_file_location(f"{NAME}_{name}", Path(__file__).with_name(f"{name}.py"))
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


data = _sibling("data")
SIGNATURE = ModelSignature(
    # Every column must be there; a missing value is a null inside it, which MLflow's `required` does not forbid.
    inputs=Schema(
        [ColSpec("double", name) for name in data.NUMERIC] + [ColSpec("string", name) for name in data.CATEGORICAL]
    ),
    outputs=Schema([TensorSpec(np.dtype(np.float64), (-1, 2))]),
)


def save(folder: Path, version: int, seed: int) -> None:
    """Train a model and save it, with its reference sample, into `folder`, which must not exist or be empty.

    All models have one signature. Version and seed decide the training sample, the fraud mechanism behind it and the
    regularization; the same two give the same coefficients.
    """
    rng = np.random.default_rng([version, seed])
    pipeline, training = train(rng)
    example = training.head(3).reset_index(drop=True)
    record = Model(
        signature=SIGNATURE,
        # Drawn, not random: the published model is a committed file, and making it again changes nothing.
        model_uuid=uuid.UUID(bytes=rng.bytes(16), version=4).hex,
        utc_time_created="2026-01-01 00:00:00.000000",
    )
    log = logging.getLogger("mlflow.sklearn")
    level = log.level
    try:
        # MLflow prefers skops; cloudpickle is what every MLflow since 1.0 loads, other vendors' servers included.
        log.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mlflow.sklearn.save_model(
                pipeline,
                folder,
                mlflow_model=record,
                signature=SIGNATURE,
                input_example=example,
                pyfunc_predict_fn="predict_proba",
                serialization_format="cloudpickle",
                pip_requirements=[f"{name}=={installed(name)}" for name in NEEDS],
                metadata={"name": NAME, "version": str(version), "reference": REFERENCE},
            )
    finally:
        log.setLevel(level)
    reference = data.sample(REFERENCE_ROWS, rng).to_csv(index=False, lineterminator="\n")
    (folder / REFERENCE).write_bytes(gzip.compress(reference.encode(), mtime=0))


def train(rng: np.random.Generator) -> tuple[Pipeline, pd.DataFrame]:
    """A fitted pipeline (`predict_proba` gives legitimate, fraud) and the features that it was fitted on."""
    rows = data.labelled(TRAINING_ROWS, rng, adaptation=ADAPTATION)
    features, label = rows[list(data.FEATURES)], rows[data.LABEL]
    strength = float(np.exp(rng.uniform(np.log(0.05), np.log(2.0))))
    prepare = ColumnTransformer(
        [
            ("numeric", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), list(data.NUMERIC)),
            ("categorical", OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(data.CATEGORICAL)),
        ]
    )
    # Newton's method reaches the optimum to the last digits, so the coefficients do not depend on the machine.
    classify = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-10)
    pipeline = Pipeline([("prepare", prepare), ("classify", classify)])
    return pipeline.fit(features, label), features


def publish() -> None:
    """Make the published model again, with everything that is made from it: the sample's answer, and the copies."""
    here = Path(__file__).resolve().parent
    public = here / "public"
    write(public / "model")
    request = json.loads((public / "sample_request.json").read_text("utf-8"))
    rows = pd.DataFrame(request["dataframe_records"]).astype(dict.fromkeys(data.NUMERIC, np.float64))
    answers = mlflow.sklearn.load_model(str(public / "model")).predict_proba(rows).tolist()
    lines = ",\n  ".join(json.dumps(answer) for answer in answers)
    (public / "sample_response.json").write_text(f'{{"predictions": [\n  {lines}\n]}}\n', "utf-8")
    for copy in (here / "submissions" / "reference", here.parents[1] / "candidate_template"):
        shutil.rmtree(copy / "model", ignore_errors=True)
        shutil.copytree(public / "model", copy / "model")


def write(folder: Path) -> None:
    """Write the published model in place of whatever is there."""
    shutil.rmtree(folder, ignore_errors=True)
    save(folder, *PUBLISHED)


if __name__ == "__main__":
    write(Path(sys.argv[1])) if sys.argv[1:] else publish()
