"""A promotion and a rollback under traffic, and what is recorded of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from grading.evidence import Check, Outcome, Series
from harness.client import Client
from harness.errors import SubmissionError
from harness.lifecycle import agreement
from harness.lifecycle.registry import Registry, Version
from harness.lifecycle.settings import Settings
from harness.lifecycle.switch import Switch, instead, watch
from harness.lifecycle.traffic import Answer, Question, Traffic
from harness.sandbox import Service
from harness.stages import Stage

MANY = 10
"""Answers by which a service shows which version it serves at first."""


class Rollout:
    """One service, one registry, two versions."""

    def __init__(
        self,
        stage: Stage[Settings],
        *,
        service: Service,
        client: Client,
        server: Registry,
        name: str,
        asked: Sequence[Question],
    ) -> None:
        """`name` is the model's; `asked` is what to ask over and over."""
        self._stage, self._service, self._client, self._server = stage, service, client, server
        self._name, self._asked = name, asked
        self._disagree: dict[str, list[str]] = {"version_route_agrees": [], "model_info_agrees": []}

    def run(self, first: Version, second: Version) -> None:
        """Promote the second version and go back to the first; record everything.

        Raises:
            SubmissionError: the service does not follow the registry.
            InfrastructureError: the registry failed.
        """
        settings, stage = self._stage.settings, self._stage
        counter = agreement.Counter(self._client, settings.counter)
        with Traffic(self._service.url, self._asked, settings) as traffic, counter:
            stage.say("requests to the first version")
            self._begins(traffic, first)
            self._look(first)
            stage.say("promotion")
            promotion = self._switch(traffic, second)
            if not promotion.begun:
                raise self._never(promotion)
            stage.say("rollback")
            rollback = self._switch(traffic, first)
        stage.check("follows_the_registry", True, "It serves the version that the alias names, and follows the alias.")
        answers = traffic.answers()
        self._failures(traffic.answers(promotion.asked))
        self._names(answers)
        self._in_time("promotion", promotion)
        self._in_time("rollback", rollback)
        self._agreements()
        self._counter(counter, promotion)
        stage.measure("requests", len(answers), "1", note=f"by {settings.callers} callers")
        stage.draw(_series(answers, promotion, rollback))

    def _begins(self, traffic: Traffic, first: Version) -> None:
        seconds = self._stage.settings.request_seconds
        traffic.wait(lambda: sum(not answer.problem for answer in traffic.answers()) >= MANY, seconds)
        answers = traffic.answers()
        if not any(answer.version == first.number for answer in answers):
            self._server.beside(self._service, lambda: self._server.verify(first))
            raise self._unlike(
                f"The alias names version {first.number}, and the service says that it is ready, but it gave "
                f"{instead(answers)}.",
                first,
                answers,
            )

    def _switch(self, traffic: Traffic, to: Version) -> Switch:
        self._server.beside(self._service, lambda: self._server.point(to))
        switch = watch(traffic, to, time.monotonic(), self._stage.settings, lambda: self._service.state().running)
        self._server.beside(self._service, lambda: self._server.verify(to))
        if switch.seconds is not None:
            self._look(to)
        return switch

    def _look(self, version: Version) -> None:
        """What the service says of itself where one version alone answers."""
        settings = self._stage.settings
        for check, look in (
            ("version_route_agrees", agreement.version_route),
            ("model_info_agrees", agreement.model_info),
        ):
            # One finding says enough, and a service that is wrong once is not waited for again.
            if not self._disagree[check] and (wrong := look(self._client, settings, self._name, version)):
                self._disagree[check].append(wrong)

    def _never(self, promotion: Switch) -> SubmissionError:
        state = self._service.state()
        ended = "" if state.running else f" The service ended with code {state.exit_code}."
        ended = " The service was killed for memory." if state.killed_for_memory else ended
        return self._unlike(
            f"Version {promotion.to.number} was promoted, and in {self._stage.settings.patience_seconds:g} s no answer "
            f"was its own: the service gave {instead(promotion.answers)}.{ended} Ask the registry every few seconds "
            f"where the alias points, and load that version beside the one in use.",
            promotion.to,
            promotion.answers,
        )

    def _unlike(self, problem: str, wanted: Version, answers: Sequence[Answer]) -> SubmissionError:
        self._stage.check(
            "follows_the_registry",
            False,
            problem,
            expected=f"the predictions of version {wanted.number}",
            observed=instead(answers),
        )
        return SubmissionError(problem)

    def _failures(self, answers: Sequence[Answer]) -> None:
        failed = [answer for answer in answers if answer.problem]
        state = self._service.state()
        killed = " The service was killed for memory: two models have to fit." if state.killed_for_memory else ""
        self._stage.check(
            "no_request_fails_during_rollout",
            not failed,
            f"{len(failed)} of {len(answers)} requests failed while the version changed.{killed} Go on with the old "
            "model until the new one is loaded, and then exchange them in one step."
            if failed
            else "Every request is answered while the version changes.",
            expected="200 for each of them",
            observed=instead(failed) if failed else f"{len(answers)} of {len(answers)}",
        )

    def _names(self, answers: Sequence[Answer]) -> None:
        given = [answer for answer in answers if not answer.problem]
        wrong = [answer for answer in given if answer.named != answer.version or not answer.version]
        problem = agreement.names(wrong)
        self._stage.check(
            "answers_are_the_version_they_name",
            not problem,
            f"{problem} Take the predictions and the name from one and the same object."
            if problem
            else "Every answer holds the predictions of the version that it names.",
            expected="the predictions of the version in X-Model-Version",
            observed=f"{len(wrong)} of {len(given)} answers are not" if wrong else f"all {len(given)}",
        )

    def _in_time(self, what: str, switch: Switch) -> None:
        settings, took = self._stage.settings, switch.seconds
        late = took is None or took > settings.switch_seconds
        said = "the old version still answered when it was watched no longer" if took is None else f"{took:.1f} s"
        if not switch.begun:
            said = instead(switch.answers)
        problem = (
            f"After the {what} the old version went on answering for too long ({said}). Ask the registry every few "
            "seconds, from every worker."
        )
        self._stage.check(
            f"{what}_in_time",
            not late,
            problem if late else f"After the {what} the version that the alias names answers in time.",
            expected=f"no answer of the old version to what is sent {settings.switch_seconds:g} s later",
            observed=said,
            seconds=took or 0,
        )
        if took is not None:
            self._stage.measure(f"{what}_seconds", took, "s", note="until the new version alone answered")

    def _agreements(self) -> None:
        for check, wrong in self._disagree.items():
            fine = "It names the version that answers, before the promotion, after it, and after the rollback."
            self._stage.check(check, not wrong, f"{wrong[0]}." if wrong else fine, observed="; ".join(wrong))

    def _counter(self, counter: agreement.Counter, promotion: Switch) -> None:
        name, settings = "counters_go_on", self._stage.settings
        if not counter.found or counter.falls(end=promotion.asked):
            # That is found out elsewhere, and has nothing to do with versions.
            why = f"{settings.counter} is not there, or falls while nothing changes. The functional stage counts that."
            self._stage.record(Check(name=name, outcome=Outcome.SKIPPED, message=why))
            return
        falls = counter.falls(start=promotion.asked)
        problem = f"{settings.counter} fell from {falls[0][0]:g} to {falls[0][1]:g} with a version." if falls else ""
        self._stage.check(
            name,
            not falls,
            f"{problem} A counter starts anew with a process only." if falls else f"{settings.counter} goes on.",
        )


def _series(answers: Sequence[Answer], promotion: Switch, rollback: Switch) -> Series:
    """Which version answered, over time: the points where it changes, and both ends."""
    known = [(answer.sent - promotion.asked, float(answer.version)) for answer in answers if answer.version]
    kept = [
        point
        for n, point in enumerate(known)
        if n in (0, len(known) - 1) or known[n - 1][1] != point[1] or known[n + 1][1] != point[1]
    ]
    return Series(
        chart="rollout",
        name="version that answered",
        style="line",
        x_unit="s",
        y_unit="version",
        points=tuple(kept),
        marks={"promotion": 0.0, "rollback": rollback.asked - promotion.asked},
    )
