"""Which rows each window has, and when that changes."""
