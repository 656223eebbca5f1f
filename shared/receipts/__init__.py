"""What a citizen keeps of a decision, and how anyone checks it, years later and without us."""
