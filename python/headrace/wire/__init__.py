"""Frames between the engine and its workers, and the columns within them."""
