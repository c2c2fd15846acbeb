"""The contract that every kernel and every function keeps, and the checks that hold them to it."""
