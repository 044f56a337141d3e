"""Whether the last rows still look like the sample that the model was trained on.

Each numeric feature is compared with the reference by a Kolmogorov-Smirnov test, each categorical one by a chi-square
test with unseen values in a cell of their own, and the share of nulls by Fisher's exact test. All the tests of one
verdict share one chance in a thousand to alarm over nothing (Bonferroni).
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from service.protocol import Signature, Table

WINDOW = 1000
"""The verdict covers at most this many of the last rows: it forgets an incident once it is over."""
MINIMUM = 500
"""Rows before the first verdict."""
FALSE_ALARMS = 0.001
"""Chance of an alarm over nothing, over all the tests of one verdict. At 50 rows a second there is a new window every
20 s: 1 % would be a false alarm every half hour."""
CEILING = 300.0
"""Scores end here: a smaller p-value than 1e-300 is zero to a double."""


@dataclass(frozen=True)
class Finding:
    """The strongest evidence against one feature. The score is -log10(p), so that more is more drift."""

    score: float
    threshold: float
    method: str

    @property
    def drifted(self) -> bool:
        """Whether the evidence is beyond chance."""
        return self.score > self.threshold


@dataclass(frozen=True)
class Verdict:
    """What the monitor knew at one moment."""

    n_observed: int
    window_size: int
    reference_size: int
    features: dict[str, Finding]
    """Empty until there are enough rows."""

    @property
    def status(self) -> str:
        """Whether there were enough rows."""
        return "ok" if self.features else "insufficient_data"

    @property
    def drift_detected(self) -> bool:
        """Whether any feature drifted."""
        return any(finding.drifted for finding in self.features.values())


class Monitor:
    """Keeps the last rows and compares them with the reference. Safe to use from any thread."""

    def __init__(self, reference: Table, signature: Signature) -> None:
        self._reference = reference
        self._signature = signature
        tests = 2 * len(signature.numeric) + len(signature.text)
        self._threshold = -math.log10(FALSE_ALARMS / tests)
        self._chunks: deque[Table] = deque()
        self._kept = 0
        self._observed = 0
        self._lock = threading.Lock()
        self._last: Verdict | None = None

    def observe(self, table: Table) -> None:
        """Take in rows that were scored. Costs an append: the tests wait for somebody to ask."""
        if table.rows == 0:
            return
        with self._lock:
            self._chunks.append(table)
            self._kept += table.rows
            self._observed += table.rows
            while self._kept - self._chunks[0].rows >= WINDOW:
                self._kept -= self._chunks.popleft().rows

    def verdict(self) -> Verdict:
        """The verdict on the rows so far. Asking changes nothing, and asking again costs nothing."""
        with self._lock:
            observed, chunks, last = self._observed, tuple(self._chunks), self._last
        if last is not None and last.n_observed == observed:
            return last
        window = min(observed, WINDOW)
        features = self._compare(chunks) if window >= MINIMUM else {}
        verdict = Verdict(observed, window, self._reference.rows, features)
        with self._lock:
            self._last = verdict
        return verdict

    def _compare(self, chunks: tuple[Table, ...]) -> dict[str, Finding]:
        findings = {}
        for name in self._signature.numeric:
            before, after = self._reference.columns[name], _last_rows(chunks, name)
            gone, missing = np.isnan(before), np.isnan(after)
            evidence = {"ks": _ks(before[~gone], after[~missing]), "null rate": _null_rate(gone, missing)}
            findings[name] = self._finding(evidence)
        for name in self._signature.text:
            before, after = self._reference.columns[name], _last_rows(chunks, name)
            findings[name] = self._finding({"chi2": _chi2(before, after)})
        return findings

    def _finding(self, evidence: dict[str, float]) -> Finding:
        method, p = min(evidence.items(), key=lambda item: item[1])
        score = CEILING if p < 10**-CEILING else -math.log10(p)
        return Finding(score, self._threshold, method)


def _last_rows(chunks: tuple[Table, ...], name: str) -> NDArray[Any]:
    return np.concatenate([chunk.columns[name] for chunk in chunks])[-WINDOW:]


def _ks(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    """p of the two-sample Kolmogorov-Smirnov test; on values that tie it errs towards silence."""
    if len(after) == 0:
        return 1.0
    return float(stats.ks_2samp(before, after, method="asymp").pvalue)


def _chi2(before: NDArray[np.object_], after: NDArray[np.object_]) -> float:
    """p of the chi-square test of homogeneity, all unseen values counted together."""
    known = np.unique(before)
    table = np.array([_counts(before, known), _counts(after, known)])
    return float(stats.chi2_contingency(table[:, table.sum(axis=0) > 0], correction=False).pvalue)


def _counts(values: NDArray[np.object_], known: NDArray[np.object_]) -> list[int]:
    counts = [int(np.count_nonzero(values == level)) for level in known]
    return [*counts, len(values) - sum(counts)]


def _null_rate(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> float:
    """p of Fisher's exact test, which holds where a normal approximation does not: few nulls, or none."""
    nulls = np.array([before.sum(), after.sum()])
    if not nulls.any():
        return 1.0
    return float(stats.fisher_exact([nulls, [len(before), len(after)] - nulls]).pvalue)
