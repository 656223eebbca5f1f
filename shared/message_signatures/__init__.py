"""Signatures of whole HTTP messages (RFC 9421): a bank's on its commands, ours on our answers."""
