"""Card transactions: a seeded generator with realistic marginals and dependence, i.i.d. and independent of time.

Dependence comes from a Gaussian copula (Sklar 1959): six correlated standard normals, each mapped to its own marginal,
whose place depends on the channel, the merchant's category or the country. All numeric columns are doubles, because
MLflow's `long` refuses nulls and cuts 5.5 to 5.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, ndtr
from scipy.stats import beta, nbinom

Floats = NDArray[np.float64]

NUMERIC = (
    "amount",
    "hour",
    "account_age_days",
    "distance_km",
    "transactions_24h",
    "avg_amount_30d",
    "merchant_risk",
)
CATEGORICAL = ("merchant_category", "channel", "country")
FEATURES = NUMERIC + CATEGORICAL
LABEL = "is_fraud"

# Frequency, then the factor on the amount and the mean of the merchant's risk score.
MERCHANTS = {
    "groceries": (0.27, 0.8, 0.12),
    "restaurants": (0.18, 0.6, 0.18),
    "fuel": (0.13, 0.9, 0.16),
    "fashion": (0.12, 1.4, 0.26),
    "electronics": (0.10, 3.2, 0.38),
    "travel": (0.08, 5.0, 0.34),
    "pharmacy": (0.07, 0.5, 0.10),
    "gaming": (0.05, 0.7, 0.52),
}
# Frequency, median distance from home in km, the factor on the amount, share of night hours.
CHANNELS = {
    "contactless": (0.38, 3.0, 0.7, 0.06),
    "online": (0.34, 60.0, 1.2, 0.22),
    "chip": (0.19, 6.0, 1.3, 0.05),
    "atm": (0.09, 4.0, 2.4, 0.15),
}
COUNTRIES = {
    "DE": 0.31,
    "FR": 0.19,
    "GB": 0.14,
    "NL": 0.10,
    "ES": 0.08,
    "IT": 0.07,
    "PL": 0.05,
    "US": 0.03,
    "TR": 0.02,
    "BR": 0.01,
}

# Correlations of the latent normals behind: amount, average amount, count, account age, distance, merchant's risk.
LATENT = np.array(
    [
        [1.00, 0.65, -0.15, 0.10, 0.25, 0.15],
        [0.65, 1.00, -0.10, 0.30, 0.15, 0.05],
        [-0.15, -0.10, 1.00, -0.20, 0.10, 0.10],
        [0.10, 0.30, -0.20, 1.00, -0.05, -0.10],
        [0.25, 0.15, 0.10, -0.05, 1.00, 0.20],
        [0.15, 0.05, 0.10, -0.10, 0.20, 1.00],
    ]
)

# The fraud mechanism: log odds per unit of each signal in `_signals`.
WEIGHTS = {
    "amount": 0.55,
    "hour": -0.40,
    "account_age_days": -0.50,
    "distance_km": 0.60,
    "transactions_24h": 0.55,
    "avg_amount_30d": -0.45,
    "merchant_risk": 0.70,
    "merchant_category": 0.60,
    "channel": 0.80,
    "country": 0.70,
}
RISKY = {
    "merchant_category": {"gaming": 1.5, "electronics": 1.0, "travel": 0.5, "groceries": -0.6, "pharmacy": -0.8},
    "channel": {"online": 1.0, "atm": 0.5, "contactless": -0.8},
    "country": {"BR": 2.0, "TR": 1.6, "US": 1.0, "PL": 0.4, "NL": -0.4, "FR": -0.3},
}
BASE_RATE = 0.04


def sample(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """That many independent transactions, as a frame with the columns `FEATURES`.

    About 4.5 % of `merchant_risk` and of `account_age_days` is missing at random: how often depends on the channel and
    on the country, never on the value itself.
    """
    merchant = _draw(MERCHANTS, [row[0] for row in MERCHANTS.values()], rows, rng)
    channel = _draw(CHANNELS, [row[0] for row in CHANNELS.values()], rows, rng)
    country = _draw(COUNTRIES, list(COUNTRIES.values()), rows, rng)
    latent = rng.multivariate_normal(np.zeros(len(LATENT)), LATENT, size=rows, method="cholesky")
    uniform = np.clip(ndtr(latent), 1e-9, 1 - 1e-9)

    size = _look_up(MERCHANTS, 1, merchant) * _look_up(CHANNELS, 2, channel)
    risk = _look_up(MERCHANTS, 2, merchant)
    frame = pd.DataFrame(
        {
            "amount": (28.0 * size * np.exp(0.85 * latent[:, 0])).round(2),
            "hour": _hours(_look_up(CHANNELS, 3, channel), rng),
            "account_age_days": np.floor(2.0 + 1100.0 * -np.log1p(-uniform[:, 3])),
            "distance_km": (_look_up(CHANNELS, 1, channel) * np.exp(1.25 * latent[:, 4])).round(1),
            "transactions_24h": nbinom.ppf(uniform[:, 2], 2.5, 2.5 / (2.5 + 3.0)),
            "avg_amount_30d": (38.0 * np.exp(0.6 * latent[:, 1])).round(2),
            "merchant_risk": beta.ppf(uniform[:, 5], 6.0 * risk, 6.0 * (1.0 - risk)).round(3),
            "merchant_category": merchant,
            "channel": channel,
            "country": country,
        }
    )
    forgotten = np.where(channel == "online", 0.06, 0.035)
    frame.loc[rng.random(rows) < forgotten, "merchant_risk"] = np.nan
    unknown = np.where(np.isin(country, ["DE", "FR", "GB"]), 0.04, 0.06)
    frame.loc[rng.random(rows) < unknown, "account_age_days"] = np.nan
    return frame


def labelled(rows: int, rng: np.random.Generator, adaptation: float = 0.0) -> pd.DataFrame:
    """`sample` with the label `is_fraud` (0 or 1), which about 4 % of the rows bear.

    `adaptation` is how far fraudsters have changed their ways: each of `WEIGHTS` is multiplied by a lognormal factor
    with this sigma, drawn from `rng`, so that every feature keeps its direction and some influence.
    """
    frame = sample(rows, rng)
    weights = np.array(list(WEIGHTS.values())) * rng.lognormal(0.0, adaptation, len(WEIGHTS))
    odds = _signals(frame) @ weights
    offset = brentq(lambda b: float(expit(odds + b).mean()) - BASE_RATE, -50.0, 50.0)
    frame[LABEL] = (rng.random(rows) < expit(odds + offset)).astype(np.int64)
    return frame


def _draw(names: dict[str, object], shares: list[float], rows: int, rng: np.random.Generator) -> NDArray[np.object_]:
    return np.array(list(names), dtype=object)[rng.choice(len(names), size=rows, p=shares)]


def _look_up(table: dict[str, tuple[float, ...]], column: int, names: NDArray[np.object_]) -> Floats:
    return np.array([table[name][column] for name in names], dtype=np.float64)


def _hours(night_share: Floats, rng: np.random.Generator) -> Floats:
    """Whole hours of the day: peaks at noon and in the evening, and some nights."""
    rows = len(night_share)
    day = np.where(rng.random(rows) < 0.45, rng.normal(12.0, 2.2, rows), rng.normal(18.5, 2.0, rows))
    night = rng.normal(2.0, 1.8, rows)
    return np.floor(np.where(rng.random(rows) < night_share, night, day) % 24.0)


def _signals(frame: pd.DataFrame) -> Floats:
    """What the fraud mechanism reacts to, about one unit of spread each; columns in the order of `WEIGHTS`.

    A missing value reacts like a middling one.
    """
    columns = [
        (np.log(frame["amount"] + 1.0) - 3.5) / 1.1,
        (frame["hour"] - 13.5) / 5.5,
        ((np.log(frame["account_age_days"] + 1.0) - 6.4) / 1.2).fillna(0.0),
        (np.log(frame["distance_km"] + 1.0) - 2.5) / 1.5,
        (frame["transactions_24h"] - 3.0) / 2.6,
        (np.log(frame["avg_amount_30d"] + 1.0) - 3.6) / 0.6,
        ((frame["merchant_risk"] - 0.22) / 0.2).fillna(0.0),
        *(frame[name].map(levels).astype(np.float64).fillna(0.0) for name, levels in RISKY.items()),
    ]
    return np.column_stack(columns).astype(np.float64)
