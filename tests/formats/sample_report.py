"""A report as a real run gives one: passes, failures, an error of ours, skips, undecided criteria, charts, a ledger."""

from __future__ import annotations

import sample_stages as stages

from grading.evidence import Evidence, LedgerLine, Outcome, Run, Skip, StageResult
from grading.report import Report, grade
from grading.review import Review
from grading.rubric import Rubric

TITLE = "Fraud detection"
ROLE = "Machine-learning engineer"

RUN = Run(
    id="fraud_detection-mara-lindqvist-5f1c9a20-20260114T101502Z",
    challenge="fraud_detection",
    challenge_version="1.0.0",
    challenge_digest="9d0e6c1f" * 8,
    submission="mara-lindqvist",
    submission_digest="5f1c9a20" * 8,
    image_digest="sha256:" + "c0ffee42" * 8,
    profile="review",
    sandbox="docker",
    final=True,
    seed_commitment="66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925",
    started_at="2026-01-14T10:15:02Z",
    versions={"harness": "0.1.0", "python": "3.11.7", "docker": "26.1.5", "locust": "2.47.0"},
    host={"cores": "2", "memory": "8 GB", "kernel": "6.18.5", "architecture": "x86_64"},
    notices=("The host's own services were reachable from the container: no rule on the bridge without root.",),
)


def _checks(identity: str, title: str, skill: str, points: float, stage: str, *globs: str, **more: object) -> dict:
    return {
        "id": identity,
        "title": title,
        "skill": skill,
        "points": points,
        "kind": "checks",
        "stage": stage,
        "checks": globs,
        **more,
    }


def _manual(identity: str, title: str, points: float, guidance: str, question: str) -> dict:
    return {
        "id": identity,
        "title": title,
        "skill": "communication",
        "points": points,
        "kind": "manual",
        "guidance": guidance,
        "question": question,
    }


RUBRIC = Rubric.model_validate(
    {
        "criteria": [
            _checks("pinned", "Every dependency is pinned", "reproducibility", 4, "repository", "pinned_*"),
            _checks(
                "workflow",
                "CI runs the tests and builds the image",
                "ci/cd",
                8,
                "repository",
                "ci_*",
                question="Which step of this workflow would you add first if two teams shipped from it?",
            ),
            _checks("secrets", "No secrets in repository or image", "security", 4, "repository", "no_secrets"),
            _checks(
                "image",
                "The image is small, cached in layers and clean",
                "containerization",
                8,
                "image",
                "*",
                question="What is in your largest layer, and what would it cost to leave it out?",
            ),
            _checks("start", "Starts with and without PORT, in time", "containerization", 6, "startup", "*"),
            _checks("predictions", "Predictions equal the model's", "serving", 12, "functional", "predict_*"),
            _checks(
                "counters",
                "Counters count exactly",
                "monitoring",
                6,
                "functional",
                "metrics_*",
                question="Two workers, one counter each: what does Prometheus see, and what would you do about it?",
            ),
            _checks(
                "malformed",
                "Malformed input gets a clear 4xx and nothing else breaks",
                "robustness",
                10,
                "robustness",
                "malformed_*",
                question="Where in the stack should a ragged row be refused, and why there?",
            ),
            _checks("oversized", "A body of 2 GB is refused early", "robustness", 4, "robustness", "oversized_*"),
            {
                "id": "drift",
                "title": "The drift monitor speaks up, and only then",
                "skill": "monitoring",
                "points": 12,
                "kind": "line",
                "stage": "drift",
                "measurement": "score",
                "zero_at": 0.0,
                "full_at": 1.0,
                "question": "Your monitor misses a change inside the known range. What statistic would see it?",
            },
            {
                "id": "throughput",
                "title": "Throughput against the reference",
                "skill": "performance",
                "points": 10,
                "kind": "bands",
                "stage": "load",
                "measurement": "throughput_ratio",
                "bands": [{"at": 0.9, "share": 1.0}, {"at": 0.6, "share": 0.7}, {"at": 0.3, "share": 0.3}],
                "question": "Where does the time of one prediction go, and how did you find out?",
            },
            _checks("recovers", "Recovers from overload", "performance", 4, "load", "overload_*"),
            _manual(
                "trade_offs",
                "Written trade-offs: latency against cost",
                8,
                "Full: names the bottleneck with a number and what removing it costs. Half: plausible, no numbers.",
                "At 100 times the traffic, what breaks first?",
            ),
            _manual(
                "readme",
                "The README gets a colleague going",
                4,
                "Full: its commands work as written. None: they do not, or it is the template's own.",
                "Who did you write the README for?",
            ),
        ]
    }
)

REVIEWS = (
    Review(
        criterion="readme",
        points=3,
        reason="Clear, but the run command lacks the port mapping.",
        reviewer="Ines Okafor",
        at="2026-01-15T09:30:00Z",
    ),
)


def evidence(*, run: Run = RUN, errors: bool = False) -> Evidence:
    """A whole run; with `errors`, one whose load stage failed through our own fault."""
    load = stages.broken_load() if errors else stages.load()
    return Evidence(
        run=run,
        stages=(
            stages.repository(),
            stages.image(),
            stages.startup(),
            stages.functional(),
            stages.robustness(),
            stages.drift(),
            load,
        ),
    )


def report(*, run: Run = RUN, errors: bool = False) -> Report:
    """A report with a bit of everything."""
    return grade(evidence(run=run, errors=errors), RUBRIC, REVIEWS, title=TITLE, role=ROLE)


def local_report() -> Report:
    """One that is not final: a plain process, the public profile."""
    because = "the service ran as a plain process, without isolation; the public profile uses the published seed"
    run = RUN.model_copy(
        update={
            "sandbox": "local",
            "profile": "public",
            "final": False,
            "not_final_because": because,
            "image_digest": "",
        }
    )
    reason = "A plain process has no image; grade with the docker sandbox to assess it."
    no_image = StageResult(stage="image", outcome=Outcome.SKIPPED, reason=reason, skip=Skip.SANDBOX)
    kept = [no_image if s.stage == "image" else s for s in evidence(run=run).stages]
    return grade(Evidence(run=run, stages=tuple(kept)), RUBRIC, (), title=TITLE, role=ROLE)


def unbuilt_report() -> Report:
    """One of a submission that does not build: everything after the image is not reached."""
    reason = "The image did not build: no wheel of numpy 1.19 fits Python 3.11. Pin a version that has one."
    failed = StageResult(
        stage="image",
        outcome=Outcome.FAILED,
        reason=reason,
        checks=(stages.failed("image_builds", reason, "exit code 0", "exit code 1 after 14 s"),),
        ledger=LedgerLine(wall=14.2, building=14.0, own=0.2),
    )
    later = (
        StageResult(stage=name, outcome=Outcome.SKIPPED, reason=reason, skip=Skip.SUBMISSION)
        for name in ("startup", "functional", "robustness", "drift", "load")
    )
    return grade(Evidence(run=RUN, stages=(stages.repository(), failed, *later)), RUBRIC, title=TITLE, role=ROLE)


def stuck_report() -> Report:
    """One of a submission that builds, and never gets ready: the stage that starts it ended early."""
    reason = "not ready after 60 s: it listens on port 5000, not on 8080. Use $PORT."
    output = f"{reason}\nThe end of its output:\nserving on 5000"
    startup = StageResult(
        stage="startup",
        outcome=Outcome.FAILED,
        reason=output,
        checks=(stages.failed("becomes_ready", output, "ready within 60 s"),),
        ledger=LedgerLine(wall=61.0, serving=60.5, own=0.5),
    )
    later = (
        StageResult(stage=name, outcome=Outcome.SKIPPED, reason=reason, skip=Skip.SUBMISSION)
        for name in ("functional", "robustness", "drift", "load")
    )
    two = (
        _checks("start", "Starts with and without PORT, in time", "containerization", 4, "startup", "becomes_*"),
        _checks("user", "No process is root's", "security", 2, "startup", "runs_as_non_root"),
    )
    criteria = [c.model_dump() for c in RUBRIC.criteria if c.id != "start"]
    rubric = Rubric.model_validate({"criteria": [*criteria, *two]})
    seen = (stages.repository(), stages.image(), startup, *later)
    return grade(Evidence(run=RUN, stages=seen), rubric, title=TITLE, role=ROLE)
