"""The accounts service's routes: parse, ask, shape."""
