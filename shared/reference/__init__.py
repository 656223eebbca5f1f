"""The page on which a programmer reads a service's API, made from its document."""
