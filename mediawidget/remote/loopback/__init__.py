"""A small server on this machine that speaks NDIF's protocol: for trying out and for tests."""

from .server import Exchange, Loopback

__all__ = ["Exchange", "Loopback"]
