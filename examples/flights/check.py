"""Compares the features that a running Headrace serves with those that plain pandas computes.

    python examples/flights/check.py

Nothing of Headrace is imported here: pandas reads the flights and computes `airport_delay` v1 of three
airports at three moments, and the engine that `make run` started is asked for the same over HTTP. Ends with
status 1 where a value differs by more than 1e-9 of its size.
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

AIRPORTS = ["ORD", "ATL", "LAX"]
MOMENTS = ["2001-03-15T08:30:00Z", "2001-06-01T00:00:00Z", "2001-06-23T12:00:00Z"]
RETENTION = pd.Timedelta("31D")
TOLERANCE = 1e-9
FLIGHTS = Path(__file__).parents[2] / "node_modules" / "vega-datasets" / "data" / "flights-3m.parquet"


def read_flights(path: Path, position: int) -> pd.DataFrame:
    """Return the first flights of the file, as many as `position` says.

    The engine leaves out late events, those more than a day older than the newest one before their batch; in
    a sorted file there are none.
    """
    flights = pd.read_parquet(path)[:position]
    flights["date"] = pd.to_datetime(flights["date"], utc=True)
    if not flights["date"].is_monotonic_increasing:
        sys.exit(f"check: {path} is not sorted by date, so some events would be late")
    return flights


def compute(flights: pd.DataFrame, airport: str, as_of: pd.Timestamp) -> dict[str, Any]:
    """Return the features of one airport by pandas."""
    own = flights[(flights["origin"] == airport) & (flights["date"] <= as_of)]
    own = own.sort_values("date", kind="stable")

    def window(length: str) -> pd.DataFrame:
        return own[own["date"] > as_of - pd.Timedelta(length)]

    hour, day, week, kept = window("1h"), window("24h"), window("7D"), own[own["date"] > as_of - RETENTION]
    delays = week["delay"].dropna().to_numpy(float)
    values: dict[str, Any] = {
        "departures_1h": len(hour),
        "departures_24h": len(day),
        "departures_7d": len(week),
        "distance_sum_24h": day["distance"].sum(),
        "distance_mean_7d": week["distance"].mean(),
        "delay_mean_1h": hour["delay"].mean(),
        "delay_max_1h": hour["delay"].max(),
        "delay_mean_24h": day["delay"].mean(),
        "delay_std_24h": day["delay"].std(),
        "delay_min_24h": day["delay"].min(),
        "delay_max_24h": day["delay"].max(),
        "delay_median_24h": day["delay"].median(),
        "delay_mean_7d": week["delay"].mean(),
        "delay_std_7d": week["delay"].std(),
        "delay_q90_7d": week["delay"].quantile(0.9),
        "delay_last": last(kept["delay"]),
        "destination_last": last(kept["destination"]),
        "delay_trend_7d": slope(delays),
    }
    values["delay_z"] = divide(values["delay_last"] - values["delay_mean_7d"], values["delay_std_7d"])
    values["departures_share_1h"] = divide(values["departures_1h"], values["departures_24h"])
    values["delay_rise"] = values["delay_mean_1h"] - values["delay_mean_24h"]
    mean, usual = values["delay_mean_1h"], values["delay_mean_7d"]
    values["is_disrupted"] = None if pd.isna(mean + usual) else bool(mean > 15 and mean > 2 * usual)
    return values


def last(column: pd.Series) -> Any:
    """Return the newest value that is there, NaN where none is."""
    known = column.dropna()
    return known.iloc[-1] if len(known) else math.nan


def slope(values: np.ndarray) -> float | None:
    """Return the slope of a straight line through the values, per row."""
    if len(values) < 2:
        return None
    rows = np.arange(len(values)) - (len(values) - 1) / 2
    return float(np.polyfit(rows, values, 1)[0])


def divide(one: float, other: float) -> float | None:
    """Return the quotient, or None where there is none."""
    return one / other if other else None


def ask(url: str, airport: str, as_of: str, position: int) -> dict[str, Any]:
    """Return the features of one airport as the engine serves them."""
    body = {
        "view": "airport_delay",
        "version": "v1",
        "entity_id": airport,
        "as_of": as_of,
        "position": position,
    }
    request = urllib.request.Request(
        f"{url}/features", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        sys.exit(f"check: {url} answered {error.code} for {airport} at {as_of}: {error.read().decode()}")
    except urllib.error.URLError as error:
        sys.exit(f"check: {url} does not answer ({error.reason}); start the engine with `make run`")
    features: dict[str, Any] = answer["features"]
    return features


def differ(served: Any, wanted: Any) -> float:
    """Return the relative difference of two values; infinity where they cannot be compared."""
    if wanted is None or (isinstance(wanted, float) and math.isnan(wanted)):
        return 0.0 if served is None else math.inf
    if served is None or isinstance(wanted, str):
        return 0.0 if served == wanted else math.inf
    if served == wanted:
        return 0.0
    return abs(served - wanted) / max(abs(served), abs(wanted))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description="Compares served features with those that plain pandas computes."
    )
    parser.add_argument(
        "flights",
        nargs="?",
        type=Path,
        default=FLIGHTS,
        help="the Parquet file (default: that of vega-datasets)",
    )
    parser.add_argument(
        "--url", default="http://127.0.0.1:8787", help="where the engine listens (default: %(default)s)"
    )
    parser.add_argument(
        "--position",
        type=int,
        default=2_871_298,
        help="how many flights of the file to use; the engine must have them and is asked to use no more"
        " (default: %(default)s, those before the replay)",
    )
    parser.add_argument(
        "--as-of",
        action="append",
        metavar="TIME",
        help=f"a moment to compare at, ISO 8601; may be repeated (default: {', '.join(MOMENTS)})",
    )
    options = parser.parse_args()
    flights = read_flights(options.flights, options.position)
    failed = 0
    print(f"{'airport':8}{'as of':22}{'feature':22}{'served':>24}{'pandas':>24}{'difference':>12}")
    for as_of in options.as_of or MOMENTS:
        for airport in AIRPORTS:
            wanted = compute(flights, airport, pd.Timestamp(as_of))
            served = ask(options.url, airport, as_of, options.position)
            for name in wanted.keys() | served.keys():
                if name not in wanted or name not in served:
                    sys.exit(f"check: {name} is only {'served' if name in served else 'computed here'}")
            for name, value in wanted.items():
                difference = differ(served[name], value)
                failed += difference > TOLERANCE
                mark = " <--" if difference > TOLERANCE else ""
                print(
                    f"{airport:8}{as_of:22}{name:22}{text(served[name]):>24}{text(value):>24}{difference:12.1e}{mark}"
                )
    if failed:
        sys.exit(f"check: {failed} values differ by more than {TOLERANCE}")
    print(f"All values equal to {TOLERANCE}.")


def text(value: Any) -> str:
    """Return a value as the table shows it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "null"
    return f"{value:.15g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
