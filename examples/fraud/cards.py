"""Features of cards that the YAML cannot say."""

import pandas as pd
from headrace import feature

TRAVEL = pd.Timedelta("4h")
"""Nobody is quicker from one country to the next."""


@feature
def country_hops(window: pd.DataFrame, as_of: pd.Timestamp) -> int:
    """Count the payments in person in another country than the one less than four hours before."""
    present = window[window["channel"] != "online"]
    moved = present["country"] != present["country"].shift()
    return int((moved & (present["timestamp"].diff() < TRAVEL)).sum())


@country_hops.batch
def country_hops_of_many(windows: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    """Count them for many cards in one go."""
    present = windows[windows["channel"] != "online"]
    cards = present.groupby("entity")
    moved = present["country"] != cards["country"].shift()
    hops = (moved & (cards["timestamp"].diff() < TRAVEL)).groupby(present["entity"]).sum()
    return hops.reindex(windows["entity"].unique(), fill_value=0)
