"""The rows that a worker holds, and the log that they are read from."""
