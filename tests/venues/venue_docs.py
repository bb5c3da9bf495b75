"""`python -m tests.venues.venue_docs` writes docs/venues and the README's table of venues anew."""

from __future__ import annotations

import os

import django


def main() -> None:
    """Write every page and the table, under the settings of the tests."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "riskhub.settings_test")
    django.setup()
    # After the setup: the client that reads the answers knows the tables of the database.
    from tests.venues import venue_pages

    venue_pages.write()


if __name__ == "__main__":
    main()
