"""A challenge held against the stages it names: their settings are valid, and its criteria rest on what they record."""

from __future__ import annotations

from fnmatch import fnmatchcase
from types import ModuleType

from pydantic import BaseModel, ValidationError

from grading.rubric import AutomaticCriterion, BandsCriterion, ChecksCriterion, ManualCriterion
from harness import plugins, stages
from harness.challenge import Challenge, Profile, explain
from harness.errors import ChallengeError


def stage_module(name: str) -> ModuleType:
    """The module of a stage. Raises `LookupError`, which lists those there are."""
    return plugins.load(stages, name)


def settings(challenge: Challenge, stage: str, profile: Profile) -> BaseModel:
    """The checked settings of a stage under a profile.

    Raises:
        ChallengeError: the stage refuses them.
    """
    values = challenge.settings(stage, profile)
    kind: type[BaseModel] = stage_module(stage).Settings
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        table = "public" if profile == "public" else "stage"
        raise ChallengeError(explain(challenge.folder, error, prefix=(table, stage))) from error


def verify(challenge: Challenge) -> None:
    """Check that every stage exists and takes its settings, and that every criterion can have evidence.

    Raises:
        ChallengeError: naming the key and what was expected.
    """
    path = challenge.folder / "challenge.toml"
    spec = challenge.spec
    there = plugins.names(stages)
    for name in (*spec.stages, *spec.stage, *spec.public, *spec.check.settings):
        if name not in there:
            raise ChallengeError(f"{path}: there is no stage '{name}'; there are: {', '.join(there)}")
    for name in spec.check.stages:
        if name not in spec.stages:
            raise ChallengeError(f"{path}: 'check' names the stage '{name}', which does not run")
    for name in spec.stages:
        for profile in ("review", "public"):
            settings(challenge, name, profile)
        settings(challenge.quick(), name, "public")
    for criterion in spec.rubric.criteria:
        if not isinstance(criterion, ManualCriterion):
            _has_evidence(challenge, criterion)
        if isinstance(criterion, BandsCriterion):
            _edges_are_known(challenge, criterion)


def _has_evidence(challenge: Challenge, criterion: AutomaticCriterion) -> None:
    where = f"{challenge.folder / 'challenge.toml'}: criterion '{criterion.id}'"
    if criterion.stage not in challenge.spec.stages:
        runs = ", ".join(challenge.spec.stages)
        raise ChallengeError(f"{where}: rests on the stage '{criterion.stage}', which does not run; these do: {runs}")
    module = stage_module(criterion.stage)
    records: tuple[str, ...] = module.records(challenge) if hasattr(module, "records") else module.RECORDS
    names = criterion.checks if isinstance(criterion, ChecksCriterion) else (criterion.measurement,)
    for name in names:
        if not any(fnmatchcase(name, known) or fnmatchcase(known, name) for known in records):
            raise ChallengeError(f"{where}: '{criterion.stage}' records no '{name}'; it records: {', '.join(records)}")


def _edges_are_known(challenge: Challenge, criterion: BandsCriterion) -> None:
    """A stage that measures borderline results again has to know where the borders are; it never sees the rubric."""
    edges: tuple[float, ...] | None = getattr(settings(challenge, criterion.stage, "review"), "edges", None)
    for band in criterion.bands:
        if edges is not None and band.at not in edges:
            raise ChallengeError(
                f"{challenge.folder / 'challenge.toml'}: criterion '{criterion.id}': a band begins at {band.at:g}; "
                f"name it under 'edges' in [stage.{criterion.stage}], or results there would not be measured again"
            )
