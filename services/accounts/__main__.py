"""`python -m services.accounts init` makes what is missing; `serve` runs the service."""

import sys

from services.accounts.main import from_env, init
from services.accounts.settings import Settings
from shared.server import main

main(
    sys.argv,
    init=lambda: init(Settings()),
    app=from_env,
    port=8002,
    proxies=lambda: Settings().proxies,
    certificates=lambda: Settings().client_certificates,
)
