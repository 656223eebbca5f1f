"""The consent service: who may ask where, what a citizen decided, and the single use of a decision."""
