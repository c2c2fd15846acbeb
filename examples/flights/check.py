"""Compares the features that a running Headrace serves with those that plain pandas computes.

    python examples/flights/check.py

Nothing of Headrace is imported here: pandas reads the flights and computes `airport_delay` v3, which has all
of v1 and v2 and every type of feature, of three airports at three moments, and the engine that `make run`
started is asked for the same over HTTP. Ends with status 1 where a value differs by more than 1e-9 of its
size.
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
from scipy import stats

AIRPORTS = ["ORD", "ATL", "LAX"]
MOMENTS = ["2001-03-15T08:30:00Z", "2001-06-01T00:00:00Z", "2001-06-23T12:00:00Z"]
RETENTION = pd.Timedelta("31D")
TOLERANCE = 1e-9
MILES = 1745.0
"""The length of the flight that requests ask about."""

ACCURACY = 0.01
"""Of the feature that is a sketch's."""

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


class Windows:
    """The flights of one airport up to a moment, cut to windows."""

    def __init__(self, flights: pd.DataFrame, airport: str, as_of: pd.Timestamp) -> None:
        """Take the airport's flights, in order of time and then of the file."""
        own = flights[(flights["origin"] == airport) & (flights["date"] <= as_of)]
        self.as_of = as_of
        self.own = own.sort_values("date", kind="stable")
        self.hour, self.day, self.week, self.kept = map(self.last, ("1h", "24h", "7D", RETENTION))

    def last(self, length: Any) -> pd.DataFrame:
        """Return the flights less than `length` before the moment."""
        return self.own[self.own["date"] > self.as_of - pd.Timedelta(length)]

    def wave(self) -> pd.DataFrame:
        """Return the flights of the last day that follow each other in less than five minutes."""
        gap, rows = pd.Timedelta("5min"), self.day
        if not len(rows) or self.as_of - rows["date"].iloc[-1] >= gap:
            return rows[:0]
        breaks = np.flatnonzero(rows["date"].diff() >= gap)
        return rows[breaks[-1] :] if len(breaks) else rows


def compute(flights: pd.DataFrame, airport: str, as_of: pd.Timestamp) -> dict[str, Any]:
    """Return the features of one airport by pandas and SciPy."""
    windows = Windows(flights, airport, as_of)
    values = compute_v1(windows)
    values |= compute_v2(windows, values)
    values |= shapes(windows) | parts(windows) | series(windows) | functions(windows)
    return values | of_request(as_of, values)


def compute_v1(windows: Windows) -> dict[str, Any]:
    """Return the features of v1."""
    hour, day, week = windows.hour, windows.day, windows.week
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
        "delay_last": last(windows.kept["delay"]),
        "destination_last": last(windows.kept["destination"]),
        "delay_trend_7d": slope(week["delay"].dropna().to_numpy(float)),
    }
    values["delay_z"] = divide(values["delay_last"] - values["delay_mean_7d"], values["delay_std_7d"])
    values["departures_share_1h"] = divide(values["departures_1h"], values["departures_24h"])
    values["delay_rise"] = values["delay_mean_1h"] - values["delay_mean_24h"]
    mean, usual = values["delay_mean_1h"], values["delay_mean_7d"]
    values["is_disrupted"] = None if pd.isna(mean + usual) else bool(mean > 15 and mean > 2 * usual)
    return values


def compute_v2(windows: Windows, v1: dict[str, Any]) -> dict[str, Any]:
    """Return what v2 adds."""
    delays, month = windows.week["delay"], windows.last("31D")
    values = {
        "delay_q10_7d": delays.quantile(0.1),
        "delay_median_7d": delays.median(),
        "departures_31d": len(month),
        "delay_mean_31d": month["delay"].mean(),
    }
    values["delay_spread_7d"] = v1["delay_q90_7d"] - values["delay_q10_7d"]
    means = [v1["delay_mean_1h"], v1["delay_mean_24h"], v1["delay_mean_7d"], values["delay_mean_31d"]]
    values["delay_mean_or_usual"] = next((mean for mean in means if not pd.isna(mean)), None)
    return values


def shapes(windows: Windows) -> dict[str, Any]:
    """Return how v3's delays and destinations are distributed."""
    day, week = windows.day, windows.week
    delays, destinations = week["delay"].dropna(), week["destination"].dropna()
    shares = destinations.value_counts(normalize=True)
    return {
        "delay_var_24h": day["delay"].var(),
        "delay_skew_7d": delays.skew(),
        "delay_kurtosis_7d": delays.kurt(),
        "delay_unknown_7d": week["delay"].isna().mean(),
        "delay_first_24h": first(day["delay"]),
        **{f"delay_q{q}_24h": day["delay"].quantile(q / 100) for q in (25, 75)},
        **{f"delay_q{q}_7d": delays.quantile(q / 100) for q in (25, 75)},
        "delay_q99_31d": Near(windows.last("31D")["delay"].dropna(), 0.99),
        "destinations_24h": day["destination"].nunique(),
        "destination_usual": first(destinations.mode()),
        "destination_entropy_7d": stats.entropy(shares) if len(shares) else None,
        **{
            f"destination_share_7d_{rank}": shares.iloc[rank - 1] if rank <= len(shares) else None
            for rank in (1, 2, 3)
        },
    }


def parts(windows: Windows) -> dict[str, Any]:
    """Return what v3 tells of some of the flights."""
    day, week, own, as_of = windows.day, windows.week, windows.own, windows.as_of
    yesterday = own[own["date"] <= as_of - pd.Timedelta("24h")]
    yesterday = yesterday[yesterday["date"] > as_of - pd.Timedelta("48h")]
    before = own[(own["date"] >= as_of - pd.Timedelta("1h")) & (own["date"] < as_of)]
    spans = {"1h": windows.hour, "24h": day, "7d": week}
    wave = windows.wave()
    return {
        **{f"late_share_{name}": (rows["delay"] > 15).mean() for name, rows in spans.items()},
        "long_haul_24h": int((day["distance"] > 1500).sum()),
        "night_departures_7d": int((week["date"].dt.tz_convert("America/Chicago").dt.hour < 6).sum()),
        "delay_mean_last_50": windows.kept[-50:]["delay"].mean(),
        "delay_median_late_7d": week["delay"][week["delay"] > 15].median(),
        "delay_mean_day_before": yesterday["delay"].mean(),
        "departures_until_now_1h": len(before),
        "wave_departures": len(wave),
        "wave_length": seconds(wave["date"].iloc[-1] - wave["date"].iloc[0]) if len(wave) else None,
    }


def series(windows: Windows) -> dict[str, Any]:
    """Return what v3 makes of the flights in their order."""
    day, hour, as_of = windows.day, windows.hour, windows.as_of
    known = day.dropna(subset="delay")
    times, delays = known["date"], known["delay"].astype(float)
    hours = (times - times.min()).dt.total_seconds() / 3600
    line = stats.linregress(hours, delays) if hours.nunique() > 1 else None
    lately = as_of.floor("5min")
    ages = (lately - times).dt.total_seconds().clip(lower=0) / 3600
    minutes = (times - times.min()).dt.total_seconds() / 60
    velocity = delays.diff() / minutes.diff()
    middles = (minutes + minutes.shift()) / 2
    recent = int((day["date"] > as_of - pd.Timedelta("1h")).sum())
    scored = day[-200:]["delay"].dropna()
    spread = 1.4826 * (scored - scored.median()).abs().median()
    weighed = delays.ewm(halflife=pd.Timedelta("1h"), times=times).mean() if len(delays) else delays
    return {
        "delay_slope_24h": line and line.slope,
        "delay_intercept_24h": line and line.intercept,
        "delay_r2_24h": line and line.rvalue**2,
        "delay_ewma": last(weighed),
        "delay_lately": (delays * 0.5**ages).sum(),
        "departures_an_hour": len(day) / 24,
        "delay_velocity": finite(velocity[-1:]),
        "delay_acceleration": finite((velocity.diff() / middles.diff())[-1:]),
        "delay_persistence_24h": delays.reset_index(drop=True).autocorr(1),
        "idle": since(as_of, day["date"][-1:]),
        "awake": since(as_of, day["date"][:1]),
        "gap_mean_1h": hour["date"].diff().dt.total_seconds().mean(),
        "rush_24h": divide(recent / 1, (len(day) - recent) / 23),
        "delay_anomaly": divide(last(scored) - scored.median(), spread),
    }


def functions(windows: Windows) -> dict[str, Any]:
    """Return what the functions of `delays.py` compute, in other words."""
    late = (windows.day["delay"].dropna() > 15).to_numpy()
    pairs = list(zip([False, *late[:-1]], late, strict=True)) if len(late) else []
    hours = windows.day["date"].dt.hour.to_numpy()
    counts = np.bincount(hours, minlength=24)
    return {
        "delay_carried_24h": divide(sum(one and other for one, other in pairs), int(late.sum())),
        "peak_hour": int(counts.argmax()) if len(hours) else None,
        "peak_departures": int(counts.max()),
    }


def of_request(as_of: pd.Timestamp, values: dict[str, Any]) -> dict[str, Any]:
    """Return what depends on the request."""
    here = as_of.tz_convert("America/Chicago")
    weekend = here.weekday() >= 5
    rush = values["rush_24h"]
    return {
        "hour": here.hour,
        "weekday": here.weekday(),
        "is_weekend": weekend,
        "day": here.day,
        "month": here.month,
        "distance_ratio": divide(MILES, values["distance_mean_7d"]),
        "is_rush_on_a_workday": None if rush is None else rush > 1.5 and not weekend,
    }


class Near:
    """A quantile that may be off by `ACCURACY` of the values that it lies between."""

    def __init__(self, column: pd.Series, q: float) -> None:
        """Take values."""
        ends = [float(column.quantile(q, interpolation=end)) for end in ("lower", "higher")]
        slack = [ACCURACY * abs(end) for end in ends]
        self.least, self.most = ends[0] - slack[0], ends[1] + slack[1]

    def __str__(self) -> str:
        """Return both ends."""
        return f"{self.least:.6g} … {self.most:.6g}"


def first(column: pd.Series) -> Any:
    """Return the oldest value that is there, NaN where none is."""
    known = column.dropna()
    return known.iloc[0] if len(known) else math.nan


def finite(column: pd.Series) -> float | None:
    """Return the only value of a column, or None where there is none that is a number."""
    return float(column.iloc[0]) if len(column) and np.isfinite(column.iloc[0]) else None


def seconds(length: pd.Timedelta) -> float:
    """Return a length of time in seconds."""
    return length.total_seconds()


def since(as_of: pd.Timestamp, times: pd.Series) -> float | None:
    """Return the whole minutes since the only one of some times, in seconds."""
    return None if not len(times) else (as_of - times.iloc[0]) // pd.Timedelta("1min") * 60.0


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
        "version": "v3",
        "entity_id": airport,
        "request": {"flight_distance": MILES},
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
    if isinstance(wanted, Near):
        return 0.0 if served is not None and wanted.least <= served <= wanted.most else math.inf
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
    print(f"{'airport':8}{'as of':22}{'feature':25}{'served':>24}{'pandas':>24}{'difference':>12}")
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
                    f"{airport:8}{as_of:22}{name:25}{text(served[name]):>24}{text(value):>24}{difference:12.1e}{mark}"
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
