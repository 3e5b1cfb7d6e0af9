"""A small server on this machine that speaks NDIF's protocol: for trying out and for tests."""

from .answers import Answers
from .server import Exchange, Loopback

__all__ = ["Answers", "Exchange", "Loopback"]
