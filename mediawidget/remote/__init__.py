"""Models whose weights are on a server: what is asked of it, and how it is waited for.

>>> server = mw.remote.Loopback(mw.load()).open()  # or NDIF: remote=True
>>> lm = mw.load(server.model, remote=server)
>>> mw.remote.status(lm)
'running'
>>> server.close()
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
