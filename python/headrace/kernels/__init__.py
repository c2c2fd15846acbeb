"""From the rows of windows to values: one set of formulas, for one entity and for a million."""
