"""``python -m benchmarks.mediators``: nothing is fetched while it runs."""

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

# Before transformers is imported.
from benchmarks.mediators.run import main

sys.exit(main())
