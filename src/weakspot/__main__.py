"""`python -m weakspot` is the command line."""

import sys

from weakspot.cli import main

if __name__ == "__main__":
    sys.exit(main())
