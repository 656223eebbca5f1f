"""The pages that a citizen opens on a phone; they work without scripts."""
