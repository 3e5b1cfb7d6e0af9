"""Searches for the components and edges that carry an effect, each as a function of a study."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
