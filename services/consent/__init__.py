"""The consent service: who may ask where, what a citizen decided, and its single use."""
