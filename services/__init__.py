"""The services: `consent` owns permission, `accounts` owns the act. They meet on the wire."""
