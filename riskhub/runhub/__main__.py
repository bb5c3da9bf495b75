"""`python -m riskhub.runhub`, which `manage.py runhub` becomes; see riskhub/runhub/hub.py."""

from __future__ import annotations

import argparse
import sys

from riskhub.runhub.hub import run


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="manage.py runhub",
        description="Run RiskHub on this machine: web, workers, scheduler and, unless REDIS_URL "
        "names one, a Redis-compatible server. Settings are environment variables.",
    )
    parser.add_argument("--verbose", action="store_true", help="show every log line here")
    return run(is_verbose=parser.parse_args().verbose)


if __name__ == "__main__":
    sys.exit(main())
