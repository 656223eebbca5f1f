"""What `./run audit` does, one file for each verb."""
