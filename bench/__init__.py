"""Every figure of the project comes from here: each beside what one would build instead."""
