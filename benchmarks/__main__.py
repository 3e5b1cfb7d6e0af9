"""``python -m benchmarks``: one thread, set before torch is imported."""

import os
import sys

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", HF_HUB_OFFLINE="1")

# The threads come first.
from benchmarks.run import main

sys.exit(main())
