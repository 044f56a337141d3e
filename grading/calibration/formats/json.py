"""The calibration as JSON: the record itself, for machines.

Its JSON Schema is published in docs/calibration.schema.json; `python -m grading.calibration.formats.json` prints the
current one.
"""

from __future__ import annotations

import json
import sys

from grading.calibration.records import Calibration
from grading.formats.json import DIALECT

SUFFIX = "json"


def render(calibration: Calibration) -> str:
    """Every field of the calibration, in the order of its definition."""
    return calibration.model_dump_json(indent=2) + "\n"


def schema() -> str:
    """The JSON Schema that every rendered calibration meets."""
    return json.dumps({"$schema": DIALECT, **Calibration.model_json_schema(mode="serialization")}, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
