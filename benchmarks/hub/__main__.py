"""``python -m benchmarks.hub``."""

import sys

from benchmarks.hub.run import main

sys.exit(main())
