from .connection import Remote
from .deployments import status
from .keeping import Cache
from .ledger import Ledger
from .loopback import Loopback
from .server import Patience, Server
from .traffic import Traffic
from .trouble import GaveUp, ServerError

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
