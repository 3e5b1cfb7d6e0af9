"""For all tests: one thread, no network. Set before torch and transformers are imported."""

import os

from hypothesis import Phase, settings

# Small models gain nothing from threads, and on a busy machine wait many times over for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# A deadline would tell a busy machine from an idle one, not a right answer from a wrong one.
settings.register_profile("default", deadline=None)
# Of a mutant that fails, no one wants the smallest example: see `make mutate`.
settings.register_profile("mutation", phases=[Phase.explicit, Phase.generate], deadline=None)
