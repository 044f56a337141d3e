"""The report as JSON: the record itself, for machines.

Its JSON Schema is published in docs/report.schema.json; `python -m grading.formats.json` prints the current one.
"""

from __future__ import annotations

import json
import sys

from grading.report import Report

SUFFIX = "json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def render(report: Report) -> str:
    """Every field of the report, in the order of its definition."""
    return report.model_dump_json(indent=2) + "\n"


def schema() -> str:
    """The JSON Schema that every rendered report meets."""
    return json.dumps({"$schema": DIALECT, **Report.model_json_schema(mode="serialization")}, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema())
