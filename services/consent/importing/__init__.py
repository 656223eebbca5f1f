"""The directory from CSV files: read, performed or rehearsed line by line, and told."""
