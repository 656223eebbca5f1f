"""The consent service's routes for machines: parse, ask, shape. Pages for people are in `pages`."""
