"""What searches and their ends are called."""

from __future__ import annotations

from typing import Literal

Method = Literal["das", "boundless", "neurons"]
Over = Literal["vocabulary", "alternatives"]
Ended = Literal["all epochs", "no more gain", "cancelled"]
