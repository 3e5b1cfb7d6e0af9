"""Causal mediation analysis of neural networks, clicked through in a notebook.

>>> import mediawidget as mw
>>> lm = mw.load()
>>> study = mw.Study(lm, mw.tasks.ioi(lm, n=4))
>>> mw.Explorer(study)

Names are imported when they are first used, so that ``import mediawidget`` stays light: a saved
effect opens without torch.
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)

try:
    __version__ = version("mediawidget")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
