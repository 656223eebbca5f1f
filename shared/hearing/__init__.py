"""How a partner bank hears what happened: one order, by a feed, by a stream, by webhooks."""
