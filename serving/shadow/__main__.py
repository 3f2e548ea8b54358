"""`python -m serving.shadow`: the shadow process; with `--pipeline`, the one that answers for it, as its keeper starts it."""

from __future__ import annotations

import argparse
import sys

from adapters.settings import read_settings
from contracts.errors import UnderstudyError


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m serving.shadow", description="Follows the traffic log with the versions in shadow.")
    parser.add_argument("--pipeline", help=argparse.SUPPRESS)
    parser.add_argument("--pipe", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--give-up", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    try:
        if chosen.pipeline is None:
            from serving.shadow.wiring import supervise

            supervise(read_settings())
        else:
            from serving.shadow.process import follow

            follow(read_settings(), chosen.pipeline, chosen.pipe, chosen.give_up)
    except UnderstudyError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.exit_code) from error


if __name__ == "__main__":
    main()
