"""What the consent service can be asked: each method reads, performs one verb, answers.

One file for whoever asks: the directory's operator, banks and clerks, the citizen, the service that
uses a consent. Order of effects: first the fact, then the message or the signed document.
"""
