"""The event log: dense positions, facts that are only ever added, conditions checked at commit.

`facts` says what a fact is, `recorder` what a store must promise, `sqlite` and `postgres` keep
that promise behind the eventsourcing library's DCB interface, `log` is what the services use.
"""
