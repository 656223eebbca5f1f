"""`python -m services.consent init` makes what is missing; `serve` runs the service."""

import sys

from services.consent.main import from_env, init
from services.consent.settings import Settings
from shared.server import main

main(
    sys.argv,
    init=lambda: init(Settings()),
    app=from_env,
    port=8001,
    proxies=lambda: Settings().proxies,
    certificates=lambda: Settings().client_certificates,
)
