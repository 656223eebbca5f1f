"""A made history of both logs, of any size, with violations that are known: see `generate`."""
