"""What searches and their ends are called."""

from __future__ import annotations

from typing import Literal

Method = Literal["das", "boundless", "neurons"]
Over = Literal["vocabulary", "alternatives"]
Part = Literal["learned", "principal", "random", "mean difference", "nothing", "whole"]
Pairs = Literal["held-out", "train"]
Ended = Literal["all epochs", "no more gain", "cancelled"]
