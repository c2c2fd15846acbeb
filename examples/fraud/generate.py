"""Makes the transactions of the fraud example: 2,000 cards, 300 merchants, five weeks, and fraud among them.

    python examples/fraud/generate.py FOLDER

writes ``transactions.parquet``, sorted by time, and ``fraud.json``, which tells who was defrauded, how and
when. The same version of NumPy gives the same transactions every time. The column `fraud` of the Parquet file
holds the label; the registry does not name it, so that the engine never sees it.

Three kinds of fraud are planted:

- *card testing*: in ten minutes dozens of small payments online, most of them declined: someone tries
  whether a stolen number works;
- *stolen card*: at night ten payments or more, far above what the card's owner spends, at merchants and in a
  country where the owner never was;
- *merchant takeover*: for six hours a merchant charges hundreds of cards that it never saw, much more than it
  ever did, and is declined for every third.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SEED = 20_260_105
CARDS = 2000
MERCHANTS = 300
START = pd.Timestamp("2026-01-05T00:00:00Z")
DAYS = 35
REPLAYED = 28
"""From this day on transactions are replayed rather than loaded."""

HOUR = 3600

COUNTRIES = ["DE", "FR", "GB", "IT", "ES", "US", "TR", "TH"]
HOME = [0.35, 0.25, 0.2, 0.1, 0.1, 0, 0, 0]
FAR = ["US", "TR", "TH"]
CATEGORIES = ["grocery", "restaurant", "fuel", "clothing", "electronics", "travel"]
CATEGORY_SHARES = [0.35, 0.25, 0.12, 0.13, 0.1, 0.05]
TYPICAL = {"grocery": 32, "restaurant": 27, "fuel": 55, "clothing": 60, "electronics": 140, "travel": 260}
"""Median of a payment."""

BY_HOUR = np.array([1, 0.5, 0.3, 0.2, 0.3, 1, 3, 6, 8, 8, 8, 9, 12, 11, 9, 9, 10, 12, 13, 12, 9, 6, 4, 2])
"""How many payments there are in each hour of the day, against each other."""

TESTED, STOLEN, TAKEN_OVER = "card_testing", "stolen_card", "merchant_takeover"
PLANTED = {TESTED: 15, STOLEN: 20, TAKEN_OVER: 5}
"""How often each kind is planted; the last fifth falls into the last week."""


class Town:
    """Cards and merchants, and how each behaves."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw them."""
        self.home = rng.choice(COUNTRIES, CARDS, p=HOME)
        self.thrift = rng.lognormal(0, 0.4, CARDS)
        """By how much a card's payments are larger than usual."""
        self.pace = rng.gamma(4, 0.5, CARDS)
        """Payments a day."""
        self.country = rng.choice(COUNTRIES, MERCHANTS, p=[0.28, 0.2, 0.17, 0.1, 0.1, 0.05, 0.05, 0.05])
        self.category = rng.choice(CATEGORIES, MERCHANTS, p=CATEGORY_SHARES)
        popular = rng.pareto(1.5, MERCHANTS) + 0.2
        # A card goes to merchants of its country, hardly ever to others, and to none of those far away.
        near = self.country[None, :] == self.home[:, None]
        liking = popular * np.where(near, 1.0, np.where(np.isin(self.country, FAR), 0.0, 0.01))
        liking = liking * rng.gamma(0.5, 1, (CARDS, MERCHANTS))
        self.liking = np.cumsum(liking / liking.sum(axis=1, keepdims=True), axis=1)


def columns(
    times: np.ndarray, cards: np.ndarray, merchants: np.ndarray, amounts: np.ndarray, **more: Any
) -> pd.DataFrame:
    """Return transactions as a table; `times` are seconds from the start, `amounts` are rounded to cents."""
    return pd.DataFrame(
        {
            "seconds": times,
            "card": cards,
            "merchant": merchants,
            "amount": np.maximum(np.round(amounts, 2), 0.5),
            **more,
        }
    )


def usual(rng: np.random.Generator, town: Town) -> pd.DataFrame:
    """Return what honest owners pay."""
    cards = np.repeat(np.arange(CARDS), rng.poisson(town.pace * DAYS))
    n = len(cards)
    hours = rng.choice(24, n, p=BY_HOUR / BY_HOUR.sum())
    times = (rng.integers(0, DAYS, n) * 24 + hours + rng.random(n)) * HOUR
    merchants = (town.liking[cards] < rng.random(n)[:, None]).sum(axis=1)
    typical = np.array([TYPICAL[category] for category in town.category])
    amounts = typical[merchants] * town.thrift[cards] * rng.lognormal(0, 0.45, n)
    channel = rng.choice(["contactless", "chip", "online"], n, p=[0.5, 0.25, 0.25])
    status = rng.choice(["approved", "declined"], n, p=[0.97, 0.03])
    return columns(times, cards, merchants, amounts, channel=channel, status=status, fraud="")


def card_testing(rng: np.random.Generator, town: Town, card: int, start: float) -> pd.DataFrame:
    """Return dozens of small payments online within ten minutes."""
    n = int(rng.integers(25, 45))
    times = start + np.sort(rng.random(n)) * 600
    merchants = rng.choice(MERCHANTS, n)
    status = rng.choice(["approved", "declined"], n, p=[0.3, 0.7])
    amounts = rng.uniform(0.5, 3, n)
    return columns(times, np.full(n, card), merchants, amounts, channel="online", status=status, fraud=TESTED)


def stolen_card(rng: np.random.Generator, town: Town, card: int, start: float) -> pd.DataFrame:
    """Return a night of large payments far away."""
    n = int(rng.integers(10, 16))
    times = start + np.sort(rng.random(n)) * 2.5 * HOUR
    far = np.flatnonzero(np.isin(town.country, FAR))
    merchants = rng.choice(far, n, replace=False)
    status = rng.choice(["approved", "declined"], n, p=[0.8, 0.2])
    amounts = 350 * town.thrift[card] * rng.lognormal(0.5, 0.4, n)
    return columns(times, np.full(n, card), merchants, amounts, channel="chip", status=status, fraud=STOLEN)


def merchant_takeover(rng: np.random.Generator, town: Town, merchant: int, start: float) -> pd.DataFrame:
    """Return six hours of charges to cards that never were there."""
    n = int(rng.integers(250, 400))
    times = start + np.sort(rng.random(n)) * 6 * HOUR
    cards = rng.choice(CARDS, n, replace=False)
    status = rng.choice(["approved", "declined"], n, p=[0.67, 0.33])
    amounts = rng.choice([199.0, 249.0, 299.0, 349.0], n)
    merchants = np.full(n, merchant)
    return columns(times, cards, merchants, amounts, channel="online", status=status, fraud=TAKEN_OVER)


KINDS = {TESTED: card_testing, STOLEN: stolen_card, TAKEN_OVER: merchant_takeover}
HOURS = {TESTED: (0.5, 20), STOLEN: (1, 2.5), TAKEN_OVER: (2, 17)}
"""Between which hours of the day each begins."""

LASTS = {TESTED: 600, STOLEN: 2.5 * HOUR, TAKEN_OVER: 6 * HOUR}


def plant(rng: np.random.Generator, town: Town) -> tuple[list[pd.DataFrame], list[dict[str, str]]]:
    """Return the fraudulent transactions, and what was done to whom."""
    tables, told = [], []
    for kind, count in PLANTED.items():
        whose = rng.choice(MERCHANTS if kind == TAKEN_OVER else CARDS, count, replace=False)
        for i, who in enumerate(whose.tolist()):
            early, late = HOURS[kind]
            # Before this day windows are not full; the first of the last week comes soon after its begin.
            day, hour = int(rng.integers(9, REPLAYED)), float(rng.uniform(early, late))
            place = i - (count - max(count // 5, 1))
            if place >= 0:
                day, hour = (REPLAYED, 2.0) if place == 0 else (int(rng.integers(REPLAYED, DAYS)), hour)
            start = (day * 24 + hour) * HOUR
            tables.append(KINDS[kind](rng, town, who, start))
            told.append(
                {
                    "kind": kind,
                    "entity": "merchant" if kind == TAKEN_OVER else "card",
                    "entity_id": merchant_id(who) if kind == TAKEN_OVER else card_id(who),
                    "start": instant(start),
                    "end": instant(start + LASTS[kind]),
                }
            )
    return tables, sorted(told, key=lambda one: one["start"])


def card_id(number: int) -> str:
    """Return the id of a card."""
    return f"card-{number:04}"


def merchant_id(number: int) -> str:
    """Return the id of a merchant."""
    return f"merchant-{number:03}"


def instant(seconds: float) -> str:
    """Return a time as the engine takes it."""
    return str((START + pd.Timedelta(seconds, "s")).floor("s").strftime("%Y-%m-%dT%H:%M:%SZ"))


def generate() -> tuple[pd.DataFrame, list[dict[str, str]]]:
    """Return all transactions in order of time, and the fraud that was planted among them."""
    rng = np.random.default_rng(SEED)
    town = Town(rng)
    honest = usual(rng, town)
    fraudulent, told = plant(rng, town)
    drawn = pd.concat([honest, *fraudulent]).sort_values("seconds", kind="stable", ignore_index=True)
    micros = (drawn["seconds"].to_numpy() * 1e6).astype(np.int64)
    table = pd.DataFrame(
        {
            "time": START + pd.to_timedelta(micros, "us"),
            "card": drawn["card"].map(card_id),
            "merchant": drawn["merchant"].map(merchant_id),
            "amount": drawn["amount"],
            "category": town.category[drawn["merchant"]],
            "country": town.country[drawn["merchant"]],
            "channel": drawn["channel"],
            "status": drawn["status"],
            "fraud": drawn["fraud"],
        }
    )
    return table, told


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Makes the transactions of the fraud example.")
    parser.add_argument("folder", type=Path, help="where to write; made where it is missing")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    table, told = generate()
    # The list is written last: where it stands, the transactions are whole.
    table.to_parquet(folder / "transactions.parquet", index=False)
    (folder / "fraud.json").write_text(json.dumps(told, indent=1))
    print(f"{len(table)} transactions, {int((table['fraud'] != '').sum())} of them fraudulent, in {folder}")


if __name__ == "__main__":
    main()
