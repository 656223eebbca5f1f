"""Who is calling, by keys alone: what a client signs, and the short token that it gets for that.

Pure: no web, no storage. What must be unseen is handed back with the time until which it counts,
for the caller to remember (`shared/seen_once.py`).
"""
