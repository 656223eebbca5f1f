"""What the services say to each other: the only shapes that both of them know."""
