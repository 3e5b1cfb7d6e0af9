"""Supervised searches for the subspace of a site that carries a variable, and their controls."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
