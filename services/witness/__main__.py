"""`python -m services.witness init | serve`."""

import sys

from services.witness.main import from_env, init
from services.witness.settings import Settings
from shared.server import main

main(sys.argv, init=lambda: init(Settings()), app=from_env, port=8003)
