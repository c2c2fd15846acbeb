"""Features written in Python: how they are declared, loaded and called."""
