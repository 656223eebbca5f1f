"""The services: `consent` owns permission, `accounts` owns the act. They meet over the wire only."""
