"""`python -m webhook`: the webhook receiver as a process."""

from __future__ import annotations

import argparse
import sys

from adapters.settings import read_settings
from contracts.errors import UnderstudyError
from webhook.wiring import serve


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m webhook", description="Turns alerts into retrain runs.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    chosen = parser.parse_args()
    try:
        serve(read_settings(), chosen.host, chosen.port)
    except UnderstudyError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
