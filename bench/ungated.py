"""The consent service without its gate of rights and suspensions: for `bench/gate.py` alone.

That is what it was before there was a directory: a use looks at the consent's own facts.
"""

import sys

from services.consent import gate, redemptions
from services.consent.main import from_env
from services.consent.settings import Settings
from shared import server

if __name__ == "__main__":
    vars(gate)["boundary"] = lambda act: []
    vars(redemptions)["closed"] = lambda *_: iter(())
    server.main(
        sys.argv, init=lambda: None, app=from_env, port=0, proxies=lambda: Settings().proxies
    )
