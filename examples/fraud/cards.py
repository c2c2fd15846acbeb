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
