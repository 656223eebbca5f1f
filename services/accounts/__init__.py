"""The accounts service: opens nothing without a matching signed consent, and can prove it."""
