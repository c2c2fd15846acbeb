"""Looks whether planted fraud stands out in what a running Headrace serves, and whether that is right.

    python examples/fraud/check.py

For each fraud of the loaded weeks the engine that `make run EXAMPLE=fraud` started is asked for the features
of all cards, or all merchants, at the moment when the fraud ended: of those that had none on that day the
entity must be among the three of the highest `risk`. Then pandas alone, without anything of Headrace,
computes each feature of some of those entities. Ends with status 1 where a fraud does not stand out, or where
a value differs by more than 1e-9 of its size.
"""

import argparse
import json
import math
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

LOADED_UNTIL = "2026-02-02T00:00:00Z"
RETENTION = pd.Timedelta("8D")
TOLERANCE = 1e-9
FIRST = 3
"""The place by risk that a fraud must reach."""

COMPARED = 3
"""How many frauds of each kind are compared with pandas."""

TELLING = {
    "card_testing": ["risk", "small_online_1h", "transactions_1h", "declined_share_1h"],
    "stolen_card": ["risk", "spent_24h", "amount_max_24h", "countries_24h", "unusual_hour_share_24h"],
    "merchant_takeover": ["risk", "cards_24h", "ticket_shift", "declined_share_24h"],
}

Row = dict[str, Any]


class Windows:
    """The events of one entity that are known at a moment, cut to windows."""

    def __init__(self, own: pd.DataFrame, as_of: pd.Timestamp) -> None:
        """Take events in order of time."""
        self.as_of = as_of
        self.kept = own[(own["time"] <= as_of) & (own["time"] > as_of - RETENTION)]

    def last(self, length: str, offset: str = "0D") -> pd.DataFrame:
        """Return the events of ``(end - length, end]``, where the end is `offset` before the moment."""
        end = self.as_of - pd.Timedelta(offset)
        return self.kept[(self.kept["time"] > end - pd.Timedelta(length)) & (self.kept["time"] <= end)]

    def session(self, length: str, gap: str) -> pd.DataFrame:
        """Return the last of them that follow each other in less than `gap`."""
        rows = self.last(length)
        if not len(rows) or self.as_of - rows["time"].iloc[-1] >= pd.Timedelta(gap):
            return rows[:0]
        breaks = np.flatnonzero(rows["time"].diff() >= pd.Timedelta(gap))
        return rows[breaks[-1] :] if len(breaks) else rows


def share(part: pd.Series) -> float | None:
    """Return the share of what is true, or None of nothing."""
    return float(part.mean()) if len(part) else None


def divide(one: float, other: float) -> float | None:
    """Return the quotient, or None where there is none."""
    return None if missing(one) or missing(other) or other == 0 else one / other


def missing(value: Any) -> bool:
    """Tell whether a value stands for none."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def seconds(length: pd.Timedelta) -> float:
    """Return a duration in seconds, exactly."""
    return length // pd.Timedelta("1us") / 1e6


def of_card(events: Windows) -> Row:
    """Return `card_activity` v1 of a card by pandas."""
    hour, day, week = events.last("1h"), events.last("24h"), events.last("7D")
    usual = events.last("7D", "1D")
    amounts = usual["amount"]
    values: Row = {f"transactions_{name}": len(events.last(name)) for name in ("5min", "1h", "24h", "7D")}
    values = {name.replace("min", "m").replace("7D", "7d"): value for name, value in values.items()}
    values |= {"spent_1h": hour["amount"].sum(), "spent_24h": day["amount"].sum()}
    values |= {"amount_max_24h": day["amount"].max()}
    values |= {"spent_7d": week["amount"].sum(), "usual_mean": amounts.mean(), "usual_std": amounts.std()}
    values |= {"usual_max": amounts.max(), "amount_last": newest(events.kept["amount"])}
    values["amount_z"] = divide(values["amount_last"] - values["usual_mean"], values["usual_std"])
    values["amount_anomaly"] = anomaly(week["amount"][-50:])
    values["payments_a_day"] = len(week) / 7
    values["gap_mean_24h"] = (
        seconds(day["time"].iloc[-1] - day["time"].iloc[0]) / (len(day) - 1) if len(day) > 1 else None
    )
    recent = int((day["time"] > events.as_of - pd.Timedelta("15min")).sum())
    values["burst_24h"] = divide(recent / 0.25, (len(day) - recent) / 23.75)
    idle = seconds(events.as_of - week["time"].iloc[-1]) if len(week) else None
    values["idle"] = None if idle is None else idle // 60 * 60
    ages = (events.as_of.floor("min") - day["time"]).clip(pd.Timedelta(0)) / pd.Timedelta("1h")
    values["spent_lately"] = float((day["amount"] * 0.5**ages).sum())
    values |= {"merchants_24h": day["merchant"].nunique(), "countries_24h": day["country"].nunique()}
    values["home"] = usual["country"].mode().iloc[0] if len(usual) else None
    values["merchant_share_7d"] = week["merchant"].value_counts(normalize=True).max()
    shares = week["category"].value_counts(normalize=True)
    values["category_entropy_7d"] = float(-(shares * np.log(shares)).sum()) if len(shares) else None
    values["unusual_hour_share_24h"] = share(day["time"].dt.hour < 5)
    values["unusual_hour_share_7d"] = share(usual["time"].dt.hour < 5)
    values |= declined(hour, day, week)
    small = (hour["amount"] < 5) & (hour["channel"] == "online")
    session = events.session("24h", "30min")
    values |= {"small_online_1h": int(small.sum()), "session_transactions": len(session)}
    values["session_spent"] = session["amount"].sum()
    values["session_length"] = (
        seconds(session["time"].iloc[-1] - session["time"].iloc[0]) if len(session) else None
    )
    present = day[day["channel"] != "online"]
    moved = present["country"] != present["country"].shift()
    values["country_hops_24h"] = int((moved & (present["time"].diff() < pd.Timedelta("4h"))).sum())
    values["last_at"] = newest(events.kept["time"])
    # No payment is at hand: its amount is null.
    values |= {"amount_now_z": None, "amount_now_share": None, "hour_now": events.as_of.hour}
    values["weekend_now"] = events.as_of.day_of_week >= 5
    values["seconds_since_last"] = (
        None if values["last_at"] is None else seconds(events.as_of - values["last_at"])
    )
    far = divide(values["amount_max_24h"], values["usual_mean"])
    unusual = 0.5 if far is not None and far > 5 else 0
    awake = values["unusual_hour_share_24h"] if values["countries_24h"] > 2 else 0
    often = 1 if values["transactions_1h"] > 4 else 0
    values["risk"] = (
        values["small_online_1h"] / 10
        + unusual * values["countries_24h"]
        + (awake or 0)
        + (values["declined_share_1h"] or 0) * often
        + min(values["country_hops_24h"], 2)
    )
    return values


def of_merchant(events: Windows) -> Row:
    """Return `merchant_activity` v1 of a merchant by pandas."""
    hour, day, week = events.last("1h"), events.last("24h"), events.last("7D")
    tickets = week["amount"]
    values: Row = {"transactions_1h": len(hour), "transactions_24h": len(day), "transactions_7d": len(week)}
    for name, rows in (("24h", day), ("7d", week)):
        values[f"taken_{name}"] = rows["amount"][rows["status"] == "approved"].sum()
    values |= declined(hour, day, week)
    for q in (0.1, 0.5, 0.9):
        values[f"ticket_q{q * 100:.0f}"] = tickets.quantile(q)
    values["ticket_skew_7d"] = tickets.skew()
    values["ticket_median_6h"] = events.last("6h")["amount"].median()
    values["ticket_usual"] = events.last("7D", "1D")["amount"].median()
    values["ticket_shift"] = divide(values["ticket_median_6h"], values["ticket_usual"])
    values["ticket_ewma"] = (
        tickets.ewm(halflife="6h", times=week["time"]).mean().iloc[-1] if len(week) else None
    )
    values["ticket_trend"] = slope(day)
    for name, rows in (("1h", hour), ("24h", day), ("7d", week)):
        values[f"cards_{name}"] = rows["card"].nunique()
    top = day["card"].value_counts(normalize=True).tolist()[:3]
    for rank in range(3):
        values[f"card_shares_24h_{rank + 1}"] = top[rank] if rank < len(top) else None
    ratio = divide(values["cards_24h"], values["transactions_24h"])
    values["repeat_share_24h"] = None if ratio is None else 1 - ratio
    values["online_share_24h"] = share(day["channel"] == "online")
    values["transactions_day_before"] = len(events.last("24h", "1D"))
    values["busier"] = divide(values["transactions_24h"], values["transactions_day_before"])
    risk = None if missing(values["declined_share_24h"]) else values["declined_share_24h"]
    shifted = None if risk is None or values["ticket_shift"] is None else risk * values["ticket_shift"]
    values["risk"] = shifted if values["cards_24h"] > 20 else 0.0
    return values


def declined(hour: pd.DataFrame, day: pd.DataFrame, week: pd.DataFrame) -> Row:
    """Return the shares of declined payments."""
    names = (("1h", hour), ("24h", day), ("7d", week))
    return {f"declined_share_{name}": share(rows["status"] == "declined") for name, rows in names}


def newest(column: pd.Series) -> Any:
    """Return the last value, or None of nothing."""
    return column.iloc[-1] if len(column) else None


def anomaly(amounts: pd.Series) -> float | None:
    """Return by how many robust standard deviations the last value is above the median."""
    if not len(amounts):
        return None
    middle = amounts.median()
    return divide(amounts.iloc[-1] - middle, 1.4826 * (amounts - middle).abs().median())


def slope(rows: pd.DataFrame) -> float | None:
    """Return the slope of a straight line through the amounts, per hour."""
    if len(rows) < 2:
        return None
    x = (rows["time"] - rows["time"].iloc[0]) / pd.Timedelta("1h")
    x = x - x.mean()
    return divide(float((x * (rows["amount"] - rows["amount"].mean())).sum()), float((x * x).sum()))


def ask(url: str, view: str, ids: list[str], as_of: str, position: int) -> dict[str, Row]:
    """Return the features of entities as the engine serves them."""
    body = {"view": view, "entity_ids": ids, "as_of": as_of, "position": position, "timeout_ms": 30_000}
    request = urllib.request.Request(
        f"{url}/features/batch", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        sys.exit(f"check: {url} answered {error.code} for {view} at {as_of}: {error.read().decode()}")
    except urllib.error.URLError as error:
        sys.exit(f"check: {url} does not answer ({error.reason}); start it with `make run EXAMPLE=fraud`")
    for row in answer["rows"]:
        if "error" in row:
            sys.exit(f"check: {url} has no values for {row['entity_id']}: {row['error']['message']}")
    return {row["entity_id"]: row["features"] for row in answer["rows"]}


def stands_out(fraud: dict[str, str], served: dict[str, Row], others: set[str]) -> bool:
    """Print how a fraud compares with entities that had none; tell whether it is among the first by risk."""
    risks = {id_: row["risk"] or 0.0 for id_, row in served.items() if id_ not in others}
    place = sorted(risks, key=lambda id_: -risks[id_]).index(fraud["entity_id"]) + 1
    print(f"{fraud['kind']:18}{fraud['entity_id']:14}{fraud['end']:22}{place:4}. of {len(risks)} by risk")
    for name in TELLING[fraud["kind"]]:
        known = [row[name] for row in served.values() if row[name] is not None]
        own = served[fraud["entity_id"]][name]
        print(f"    {name:24}{text(own):>14}   median {text(float(np.median(known)) if known else None):>10}")
    return place <= FIRST


def differ(served: Any, wanted: Any) -> float:
    """Return the relative difference of two values; infinity where they cannot be compared."""
    if missing(wanted):
        return 0.0 if served is None else math.inf
    if isinstance(wanted, pd.Timestamp):
        return 0.0 if served is not None and pd.Timestamp(served) == wanted else math.inf
    if served is None or isinstance(wanted, str):
        return 0.0 if served == wanted else math.inf
    # What is a difference of large numbers, as a slope is, is held to their size.
    return abs(served - wanted) / max(abs(served), abs(wanted), 1.0)


def compare(fraud: dict[str, str], served: Row, events: pd.DataFrame) -> int:
    """Print the values that differ from those of pandas, and return their number."""
    as_of = pd.Timestamp(fraud["end"])
    own = Windows(events[events[fraud["entity"]] == fraud["entity_id"]], as_of)
    wanted = of_card(own) if fraud["entity"] == "card" else of_merchant(own)
    exact = {name: value for name, value in served.items() if name != "ticket_q99"}
    if exact.keys() != wanted.keys():
        sys.exit(f"check: only one side has {sorted(exact.keys() ^ wanted.keys())}")
    wrong = [name for name in wanted if differ(served[name], wanted[name]) > TOLERANCE]
    for name in wrong:
        print(f"    {fraud['entity_id']} {name}: served {text(served[name])}, pandas {text(wanted[name])}")
    if "ticket_q99" in served:
        # It may be wrong by a hundredth, and lies anywhere between the two payments beside the quantile.
        least, most = (own.last("7D")["amount"].quantile(0.99, how) for how in ("lower", "higher"))
        if not 0.99 * least <= served["ticket_q99"] <= 1.01 * most:
            print(
                f"    {fraud['entity_id']} ticket_q99: {text(served['ticket_q99'])} is not near {text(most)}"
            )
            wrong.append("ticket_q99")
    return len(wrong)


def text(value: Any) -> str:
    """Return a value as the table shows it."""
    if missing(value):
        return "null"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description="Looks whether planted fraud stands out, and whether values equal those of pandas."
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(".data/fraud"),
        help="where generate.py wrote to (default: %(default)s)",
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8787", help="where the engine listens (default: %(default)s)"
    )
    options = parser.parse_args()
    events = pd.read_parquet(options.folder / "transactions.parquet")
    frauds = json.loads((options.folder / "fraud.json").read_text())
    loaded = events[events["time"] <= pd.Timestamp(LOADED_UNTIL)]
    missed, wrong, compared = 0, 0, dict.fromkeys(TELLING, 0)
    for fraud in frauds:
        if fraud["end"] > LOADED_UNTIL:
            continue
        ids = sorted(events[fraud["entity"]].unique())
        served = ask(options.url, f"{fraud['entity']}_activity", ids, fraud["end"], len(loaded))
        day_before = pd.Timestamp(fraud["end"]) - pd.Timedelta("1D")
        others = {
            one["entity_id"]
            for one in frauds
            if one is not fraud and day_before < pd.Timestamp(one["end"]) and one["start"] < fraud["end"]
        }
        missed += not stands_out(fraud, served, others)
        compared[fraud["kind"]] += 1
        if compared[fraud["kind"]] <= COMPARED:
            wrong += compare(fraud, served[fraud["entity_id"]], loaded)
    if missed or wrong:
        sys.exit(f"check: {missed} frauds do not stand out, {wrong} values differ by more than {TOLERANCE}")
    print(f"All {sum(compared.values())} frauds stand out; values equal those of pandas to {TOLERANCE}.")


if __name__ == "__main__":
    main()
