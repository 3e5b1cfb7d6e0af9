"""Networks that are no language models: any module of torch, its points named by the user.

>>> conv, last = torch.nn.Conv2d(1, 4, 3), torch.nn.Linear(144, 10)
>>> module = torch.nn.Sequential(conv, torch.nn.ReLU(), torch.nn.Flatten(), last)
>>> network = mw.load(module, points={"conv1": "0", "fc": "3"})
>>> x0, x1 = torch.rand(2, 1, 8, 8)
>>> study = mw.Study(network, [mw.InputPair(clean=x0, corrupt=x1, answer=3, wrong=5)])
>>> study.sweep("channel")["PIE"].shape
(1, 4)
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
