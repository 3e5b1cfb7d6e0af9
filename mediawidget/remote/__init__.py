"""Models whose weights are on a server: what is asked of it, and how it is waited for.

>>> lm = mw.load("meta-llama/Llama-3.1-70B", remote=True)
>>> lm.remote.status
'queued, place 3'
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
