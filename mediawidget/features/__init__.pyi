from .attributing import attribute, check
from .between import FeatureEdges, edges
from .cells import codes
from .circuits import FeatureCircuit, circuit, nodes_of
from .files import load, save
from .firing import Context, contexts
from .nodes import Node
from .setting import SAE, Features, clamp, error, steer
from .shipped import teaching
from .sweeping import job, sweep

__all__ = [
    "SAE",
    "Context",
    "FeatureCircuit",
    "FeatureEdges",
    "Features",
    "Node",
    "attribute",
    "check",
    "circuit",
    "clamp",
    "codes",
    "contexts",
    "edges",
    "error",
    "job",
    "load",
    "nodes_of",
    "save",
    "steer",
    "sweep",
    "teaching",
]
