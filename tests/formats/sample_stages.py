"""The stage results that the sample report is made of."""

from __future__ import annotations

from grading.evidence import Artifact, Check, Interval, LedgerLine, Measurement, Outcome, Series, StageResult

ARMS = ("sudden shift", "unit change", "missing", "new category", "gradual", "sub-population", "in-range")
POLLS = (500.0, 1000.0, 1500.0, 2000.0, 2500.0, 3000.0)


def passed(name: str, message: str, seconds: float = 0.01) -> Check:
    return Check(name=name, outcome=Outcome.PASSED, message=message, seconds=seconds)


def failed(name: str, message: str, expected: str = "", observed: str = "", seconds: float = 0.02) -> Check:
    return Check(
        name=name, outcome=Outcome.FAILED, message=message, expected=expected, observed=observed, seconds=seconds
    )


def _stage(name: str, *checks: Check, ledger: LedgerLine, **more: object) -> StageResult:
    wrong = [check for check in checks if check.outcome is Outcome.FAILED]
    return StageResult(
        stage=name,
        outcome=Outcome.FAILED if wrong else Outcome.PASSED,
        reason=wrong[0].message if wrong else "",
        checks=checks,
        ledger=ledger,
        **more,
    )


def repository() -> StageResult:
    return _stage(
        "repository",
        passed("pinned_dependencies", "Every dependency has one exact version."),
        passed("pinned_base_image", "The base image is named by digest."),
        passed("ci_present", "There is a workflow that runs on every push."),
        failed(
            "ci_builds_image",
            "The workflow never builds the image, so a broken Dockerfile is found by its users. Add a job that runs "
            "`docker build` on every push.",
            "a step that runs 'docker build' or docker/build-push-action",
            "steps: checkout, setup-python, pytest",
        ),
        passed("no_secrets", "No key, token or password was found."),
        ledger=LedgerLine(wall=0.62, own=0.62),
    )


def image() -> StageResult:
    return _stage(
        "image",
        passed("image_builds", "The image builds from a clean checkout.", 38.4),
        passed("non_root", "The service runs as uid 10001."),
        failed(
            "layers_cached",
            "A one-line change of the code installs every dependency again. Copy requirements.txt and install "
            "before copying the rest.",
            "a rebuild after a one-line change in at most 20 s",
            "41.7 s; the layer of 'pip install' was built again",
        ),
        Check(name="exec_form", outcome=Outcome.PASSED, message="The entry point is in exec form."),
        Check(name="health_check", outcome=Outcome.SKIPPED, message="The base image brings a health check of its own."),
        measurements=(Measurement(name="image_size", value=612.4, unit="MB", note="uncompressed"),),
        artifacts=(Artifact(name="build.log", path="artifacts/image/build.log", note="only the last 2 MB"),),
        ledger=LedgerLine(wall=81.3, building=80.1, own=1.2),
    )


def startup() -> StageResult:
    return _stage(
        "startup",
        passed("starts_with_port", "Listens on the port that PORT names.", 3.1),
        passed("starts_without_port", "Listens on 8080 where PORT is not set.", 3.0),
        measurements=(
            Measurement(name="time_to_serving", value=41.5, unit="s"),
            Measurement(name="cold_start", value=3.08, unit="s"),
        ),
        artifacts=(Artifact(name="service.log", path="artifacts/startup/service.log"),),
        ledger=LedgerLine(wall=7.4, serving=6.9, measuring=0.2, own=0.3),
    )


def functional() -> StageResult:
    return _stage(
        "functional",
        passed("predict_split", "dataframe_split is answered with the model's predictions.", 0.4),
        passed("predict_records", "dataframe_records is answered with the model's predictions.", 0.4),
        passed("predict_other_model", "The mounted model is followed.", 0.5),
        failed(
            "metrics_rows",
            "model_predictions_total grew by fewer rows than were answered: each worker keeps a registry of its own. "
            "Serve with one worker, or use prometheus_client's multiprocess mode.",
            "model_predictions_total + 400",
            "model_predictions_total + 187",
        ),
        passed("metrics_requests", "http_requests_total counts every request."),
        ledger=LedgerLine(wall=9.8, serving=4.1, measuring=5.0, own=0.7),
    )


def robustness() -> StageResult:
    kinds = (
        "empty_body",
        "broken_json",
        "non_object",
        "unknown_key",
        "missing_column",
        "text_in_number",
        "utf8",
        "type",
    )
    return _stage(
        "robustness",
        *(passed(f"malformed_{kind}", f"A clear 4xx ({kind.replace('_', ' ')}).") for kind in kinds),
        failed(
            "malformed_ragged_rows",
            "Rows of unequal length are answered with 500 and a traceback. Check the length of every row before "
            "building the frame, and answer 400 with a JSON body.",
            "400, 413, 415 or 422 with a JSON body and no traceback",
            '500\nTraceback (most recent call last):\n  File "/app/main.py", line 48, in invocations\n'
            "ValueError: 7 columns passed, passed data had 6 columns",
        ),
        failed(
            "malformed_counted",
            "A refused request moved model_predictions_total. Count a row after it is scored.",
            "+ 0 rows",
            "+ 50 rows",
        ),
        Check(
            name="oversized_body", outcome=Outcome.SKIPPED, message="Needs 2 GB of free memory on the host; it has 1.4."
        ),
        ledger=LedgerLine(wall=21.9, serving=3.6, measuring=17.1, own=1.2),
    )


def _arm(name: str, alarms: str, note: str, onset: float | None = 1000.0) -> Series:
    return Series(
        chart="drift arms",
        name=name,
        style="timeline",
        x_unit="rows",
        y_unit="alarm",
        points=tuple(zip(POLLS, map(float, alarms), strict=True)),
        marks={} if onset is None else {"onset": onset},
        note=note,
    )


def drift() -> StageResult:
    drawn = {
        "sudden shift": ("001111", "found after 500 rows"),
        "unit change": ("001111", "found after 500 rows"),
        "missing": ("000111", "found after 1,000 rows"),
        "new category": ("000011", "found after 1,500 rows"),
        "gradual": ("000011", "found after 1,500 rows"),
        "sub-population": ("001111", "found after 500 rows"),
        "in-range": ("000000", "missed"),
    }
    quiet = dict.fromkeys(ARMS, ("000000", "quiet")) | {"gradual": ("010011", "false alarm")}
    arms = [s for a in ARMS for s in (_arm(f"{a} / drift", *drawn[a]), _arm(f"{a} / control", *quiet[a], onset=None))]
    arms.append(_arm("recovery", "110000", "recovers", onset=None))
    return _stage(
        "drift",
        *(
            passed(f"pair_{arm.replace(' ', '_')}", f"{arm}: the drift arm alarms, its twin does not.")
            for arm in ARMS[:4]
        ),
        failed(
            "pair_gradual",
            "gradual: the control twin ended alarmed, with no change at all. Compare windows with a "
            "test that is corrected for the number of features.",
            "no alarm at 2,500 and 3,000 rows",
            "alarm at 2,500 and 3,000 rows",
        ),
        passed("pair_sub-population", "sub-population: the drift arm alarms, its twin does not."),
        failed(
            "pair_in-range",
            "in-range: the change was not seen. A check of minimum and maximum cannot see it; compare distributions.",
            "alarm at 2,500 and 3,000 rows",
            "no alarm",
        ),
        measurements=(
            Measurement(name="score", value=0.6071, unit="1", note="5 of 7 pairs, 6 % of stationary polls alarmed"),
            Measurement(name="delay", value=500, unit="rows"),
            Measurement(name="false_alarm_rate", value=0.0536, unit="1", interval=Interval(low=0.011, high=0.149)),
        ),
        series=tuple(arms),
        ledger=LedgerLine(wall=58.0, serving=11.3, measuring=45.1, own=1.6),
    )


def load() -> StageResult:
    rates = (50.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0)
    reference = (3.9, 4.0, 4.2, 4.6, 5.1, 6.0, 9.8)
    candidate = (6.8, 7.0, 7.9, 10.4, 31.0, 420.0, 1650.0)
    common = {"chart": "latency ladder", "style": "line", "x_unit": "requests/s", "y_unit": "ms"}
    return _stage(
        "load",
        passed("overload_survived", "No crash and no restart at 1.5 times capacity.", 5.0),
        passed("overload_recovered", "Latency was back within 3 s.", 3.0),
        measurements=(
            Measurement(
                name="throughput_ratio",
                value=0.58,
                unit="1",
                interval=Interval(low=0.561, high=0.604),
                note="waiting, not computing: cpu per answer is 1.02 of the reference's",
            ),
            Measurement(name="latency_p50", value=5.61, unit="ms"),
            Measurement(name="latency_p95", value=8.94, unit="ms"),
            Measurement(name="latency_p99", value=23.7, unit="ms"),
            Measurement(name="throughput_within_objective", value=318.2, unit="1/s"),
            Measurement(name="error_ratio", value=0.0, unit="1"),
            Measurement(name="cpu_seconds_per_prediction", value=0.00021, unit="s"),
        ),
        series=(
            Series(
                name="candidate",
                points=tuple(zip(rates, candidate, strict=True)),
                marks={"required rate": 200.0},
                note="p95 within ±10 %",
                **common,
            ),
            Series(name="reference", points=tuple(zip(rates, reference, strict=True)), **common),
        ),
        artifacts=(Artifact(name="requests.csv.gz", path="artifacts/load/requests.csv.gz"),),
        ledger=LedgerLine(wall=63.4, serving=5.2, measuring=56.9, own=1.3),
    )


def broken_load() -> StageResult:
    reason = "The machine was not quiet: other work took 7.4 % of core 0 (at most 2 %). Stop it and grade again."
    noisy = Check(name="preflight", outcome=Outcome.ERROR, message=reason, expected="at most 2 %", observed="7.4 %")
    return StageResult(
        stage="load",
        outcome=Outcome.ERROR,
        reason=reason,
        checks=(noisy,),
        ledger=LedgerLine(wall=9.0, serving=3.0, measuring=5.5, own=0.5),
    )
