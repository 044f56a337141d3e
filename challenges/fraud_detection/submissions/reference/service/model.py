"""The MLflow model and the reference sample that it brings.

The folder is read without MLflow: the `sklearn` flavour is a pickle beside an `MLmodel` file in YAML, and MLflow would
add a second and a half to every cold start and thirty packages to the image (see DECISIONS.md).
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import sklearn
import yaml
from numpy.typing import NDArray

from service.protocol import Signature, Table

NUMERIC_TYPES = {"double", "float", "integer", "long"}


class Model:
    """A fitted pipeline, what it takes, and what it is called."""

    def __init__(self, folder: Path) -> None:
        """Load a model from a folder.

        Unpickling runs code: the folder comes from whoever deploys the service, never from a request.

        Raises:
            OSError: a file is missing.
            ValueError: the model is not one that this service can answer for.
        """
        if not (folder / "MLmodel").is_file():
            raise FileNotFoundError(f"no MLmodel file in {folder}")
        record = yaml.safe_load((folder / "MLmodel").read_text("utf-8"))
        flavor = record["flavors"]["sklearn"]
        if flavor["serialization_format"] not in ("cloudpickle", "pickle"):
            raise ValueError(f"the model is serialized as {flavor['serialization_format']}, not as a pickle")
        if flavor["sklearn_version"] != sklearn.__version__:
            # Unpickled by another version a pipeline may answer, and answer wrongly.
            raise ValueError(f"trained with scikit-learn {flavor['sklearn_version']}, served by {sklearn.__version__}")
        inputs = json.loads(record["signature"]["inputs"])
        self.signature = Signature(
            numeric=tuple(column["name"] for column in inputs if column["type"] in NUMERIC_TYPES),
            text=tuple(column["name"] for column in inputs if column["type"] == "string"),
        )
        metadata = record["metadata"]
        self.name = str(metadata["name"])
        self.version = str(metadata["version"])
        with (folder / flavor["pickled_model"]).open("rb") as file:
            self._predict = getattr(cloudpickle.load(file), record["flavors"]["python_function"]["predict_fn"])
        self.reference = self._read(folder / metadata["reference"])

    def predict(self, table: Table) -> NDArray[np.float64]:
        """One row of probabilities (legitimate, fraud) for each row of the table."""
        if table.rows == 0:
            return np.empty((0, 2))
        return np.ascontiguousarray(self._predict(pd.DataFrame(table.columns)), dtype=np.float64)

    def _read(self, path: Path) -> Table:
        types = dict.fromkeys(self.signature.numeric, np.float64) | dict.fromkeys(self.signature.text, object)
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            # Only an empty cell is missing: "NA" is a country.
            frame = pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
        return Table(len(frame), {name: frame[name].to_numpy(dtype=kind) for name, kind in types.items()})
