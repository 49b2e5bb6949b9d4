"""The command line: parsing and printing. What it does is in `weakspot.api`; torch is imported inside commands only."""

from weakspot.cli.entry import main as main
