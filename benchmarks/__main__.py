"""``python -m benchmarks``: nothing is fetched while it runs."""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

# Before transformers is imported.
from benchmarks.run import main

sys.exit(main())
