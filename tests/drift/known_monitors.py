"""Monitors with known results, in process: the catalogue that the drift exam is tested against.

`SOUND` must pass the gate, `UNSOUND` may not, and those of them that are `CHEATS` must score nothing at all.
"""

from __future__ import annotations

from collections import Counter
from functools import cached_property

import numpy as np
from known_monitor import Column, KnownMonitor, null
from scipy.special import kolmogorov
from scipy.stats import chi2_contingency

from harness.drift.monitor import Report


class Psi(KnownMonitor):
    """Population stability index over deciles (numeric) or categories, nulls as a bin of their own."""

    limit = 0.2

    def learn(self, reference: Column) -> tuple[Column | None, Counter]:
        edges = np.nanquantile(reference, np.linspace(0.1, 0.9, 9)) if reference.dtype == float else None
        return edges, self.bins(edges, reference)

    def score(self, name: str, current: Column) -> tuple[float, float]:
        edges, reference = self.known[name]
        counts = self.bins(edges, current)
        names = {*counts, *reference}
        expected, observed = (
            np.maximum([count[name] / count.total() for name in names], 1e-4) for count in (reference, counts)
        )
        return float(((observed - expected) * np.log(observed / expected)).sum()), self.limit

    @staticmethod
    def bins(edges: Column | None, column: Column) -> Counter:
        if edges is None:
            return Counter(column)
        places = np.where(np.isnan(column), -1, np.searchsorted(edges, column))
        return Counter(places.tolist())


class LoosePsi(Psi):
    limit = 0.1


class SmallWindowPsi(Psi):
    """What a window of 100 rows does to a sound statistic."""

    window = 100
    minimum = 100


class CumulativePsi(Psi):
    """Passes the gate, and never recovers."""

    window = None


class PsiWithoutNulls(Psi):
    """Drops nulls before it looks, as many tools do: loses one pair."""

    @staticmethod
    def bins(edges: Column | None, column: Column) -> Counter:
        return Psi.bins(edges, column[~null(column)])


class CorrectedTests(KnownMonitor):
    """Kolmogorov-Smirnov, chi-squared and a test of the null rate, with Bonferroni's correction."""

    level = 0.01

    @property
    def alpha(self) -> float:
        return self.level / (2 * len(self.reference))

    def learn(self, reference: Column) -> tuple[Column | Counter, int]:
        there = reference[~null(reference)]
        return np.sort(there) if reference.dtype == float else Counter(there), int(null(reference).sum())

    def score(self, name: str, current: Column) -> tuple[float, float]:
        reference, nulls = self.known[name]
        there = current[~null(current)]
        table = np.array([[nulls, self.reference_rows - nulls], [len(current) - len(there), len(there)]])
        test = _ks if current.dtype == float else _chi2
        return 1 - min(_homogeneous(table), test(reference, there)), 1 - self.alpha


class CumulativeTests(CorrectedTests):
    window = None


class UncorrectedTests(CorrectedTests):
    """Drift if any p < 0.05: a tool's default, and about every second window is flagged."""

    alpha = 0.05


class HalfOfTheFeatures(UncorrectedTests):
    """Drift only if half of the features drifted."""

    def detected(self, drifted: list[bool]) -> bool:
        return 2 * sum(drifted) >= len(drifted)


class MeanShift(KnownMonitor):
    """Home-made: means by half a standard deviation, null rates by 0.1, new categories by 5 %."""

    def learn(self, reference: Column) -> tuple[float, object]:
        nulls = null(reference)
        there = reference[~nulls]
        return nulls.mean(), (there.mean(), there.std()) if reference.dtype == float else set(there)

    def score(self, name: str, current: Column) -> tuple[float, float]:
        nulls, usual = self.known[name]
        there = current[~null(current)]
        lost = abs(null(current).mean() - nulls) / 0.1
        if current.dtype == float:
            return max(lost, abs(there.mean() - usual[0]) / (0.5 * usual[1])), 1.0
        return max(lost, np.mean([value not in usual for value in there]) / 0.05), 1.0


class RangeChecker(KnownMonitor):
    """Minimum, maximum, more nulls than ever, an unseen category; one row is enough."""

    tolerance = 0.0

    def learn(self, reference: Column) -> tuple[float, object]:
        nulls = null(reference)
        there = reference[~nulls]
        return nulls.mean(), (there.min(), there.max()) if reference.dtype == float else set(there)

    def score(self, name: str, current: Column) -> tuple[float, float]:
        nulls, usual = self.known[name]
        there = current[~null(current)]
        more = max(0.0, null(current).mean() - nulls)
        if current.dtype == float:
            return more + np.mean((there < usual[0]) | (there > usual[1])), self.tolerance
        return more + np.mean([value not in usual for value in there]), self.tolerance


class TolerantRangeChecker(RangeChecker):
    """The strongest range checker: a few rows outside are allowed, so that it stays quiet on clean ones."""

    tolerance = 0.02


class UnknownRow(KnownMonitor):
    """Alarmed by any row that is not in the reference."""

    @cached_property
    def reference_set(self) -> set[tuple]:
        return set(zip(*self.reference.values(), strict=True))

    def judge(self) -> Report:
        return self.report({}, drift=any(tuple(row) not in self.reference_set for row in self.rows))


class Fixed(KnownMonitor):
    """Knows nothing of the values."""

    def judge(self) -> Report:
        return self.report({"amount": (float(self.says()), 0.5)}, drift=self.says())

    def says(self) -> bool:
        raise NotImplementedError


class Always(Fixed):
    def says(self) -> bool:
        return True


class Never(Fixed):
    def says(self) -> bool:
        return False


class AfterManyRows(Fixed):
    """Knows the protocol: quiet for 1,200 rows, then alarmed."""

    def says(self) -> bool:
        return self.seen > 1200


class Coin(Fixed):
    """Tosses a coin at every reading."""

    def poll(self) -> Report:
        return self.report({}, drift=self.rng.random() < 0.5)


def _ks(reference: Column, current: Column) -> float:
    """The asymptotic p of two samples, the first one sorted; much faster than scipy's, of which there are thousands."""
    current = np.sort(current)
    both = np.concatenate([reference, current])
    steps = [np.searchsorted(x, both, side="right") / len(x) for x in (reference, current)]
    size = len(reference) * len(current) / len(both)
    return float(kolmogorov(np.sqrt(size) * np.abs(steps[0] - steps[1]).max()))


def _chi2(reference: Counter, current: Column) -> float:
    counts = [reference, Counter(current)]
    table = np.array([[count[name] for name in {*counts[0], *counts[1]}] for count in counts])
    # Categories that neither sample has often make the statistic anything but chi-squared: they count together.
    rare = table.sum(axis=0) * len(current) / table.sum() < 5
    pooled = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)]) if rare.any() else table
    return _homogeneous(pooled)


def _homogeneous(table: np.ndarray) -> float:
    table = table[:, table.sum(axis=0) > 0]
    return float(chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0


SOUND: tuple[type[KnownMonitor], ...] = (Psi, LoosePsi, CumulativePsi, CorrectedTests, CumulativeTests)
NEARLY_SOUND: tuple[type[KnownMonitor], ...] = (MeanShift, PsiWithoutNulls)
CHEATS: tuple[type[KnownMonitor], ...] = (Always, Never, AfterManyRows, Coin, RangeChecker, UnknownRow)
UNSOUND: tuple[type[KnownMonitor], ...] = (
    *CHEATS, TolerantRangeChecker, UncorrectedTests, SmallWindowPsi, HalfOfTheFeatures,
)  # fmt: skip
