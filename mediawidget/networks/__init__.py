"""Networks that are no language models: any module of torch, its points named by the user.

>>> network = mw.load(module, points={"first": "conv1", "memory": "lstm"})
>>> study = mw.Study(network, [mw.InputPair(clean=x0, corrupt=x1, answer=3, wrong=5)])
>>> study.sweep("channel")
"""

from . import plain as plain  # which registers the slow road of networks
from .engine import NetworkEngine
from .network import Network, as_network, refuse_network
from .passes import Pass, differentiated, forward
from .points import Point

__all__ = [
    "Network",
    "NetworkEngine",
    "Pass",
    "Point",
    "as_network",
    "differentiated",
    "forward",
    "refuse_network",
]
