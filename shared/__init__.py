"""What both services stand on: the ledger, signatures, canonical bytes, the clock, the wire."""
