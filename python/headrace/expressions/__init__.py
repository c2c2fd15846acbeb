"""Checked expressions over values: a version's own, and those of requests."""
