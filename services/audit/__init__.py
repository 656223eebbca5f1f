"""What a regulator does with both logs: takes them home, and checks them there, alone."""
