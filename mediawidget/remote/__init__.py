"""Models whose weights are on a server: what is asked of it, and how it is waited for.

>>> lm = mw.load("meta-llama/Llama-3.1-70B", remote=True)
>>> lm.remote.status
'queued, place 3'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .connection import Remote
    from .deployments import status
    from .keeping import Cache
    from .ledger import Ledger
    from .loopback import Loopback
    from .server import Patience, Server
    from .traffic import Traffic
    from .trouble import GaveUp, ServerError

_HOMES = {
    "Cache": "keeping",
    "GaveUp": "trouble",
    "Ledger": "ledger",
    "Loopback": "loopback",
    "Patience": "server",
    "Remote": "connection",
    "ServerError": "trouble",
    "Server": "server",
    "Traffic": "traffic",
    "status": "deployments",
}

__all__ = [
    "Cache",
    "GaveUp",
    "Ledger",
    "Loopback",
    "Patience",
    "Remote",
    "Server",
    "ServerError",
    "Traffic",
    "status",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
