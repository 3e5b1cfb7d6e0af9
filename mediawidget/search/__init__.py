"""Searches for the components and edges that carry an effect, each as a function of a study.

What a search finds has ``circuit()``, which ``mw.evaluation`` and ``mw.CircuitBoard`` take;
``path`` and ``path_patching`` give an ``Effect``. Effects and scores of edges are in the metric's
unit, and what supports the clean behaviour has the sign of the total effect.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
