from .beside import BesideTIE, beside_tie
from .token_relevance import Relevance, relevance

__all__ = ["BesideTIE", "Relevance", "beside_tie", "relevance"]
