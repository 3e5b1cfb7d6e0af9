"""What a site is set to. One kind of edit a file."""

from .base import Edit, as_edit, edit_from_json
from .clamp import Clamp
from .features import Features
from .knockout import Knockout
from .mean import Mean
from .mixed import Mixed
from .noise import Noise
from .part import Part
from .patch import Patch
from .resample import Resample
from .scale import Scale
from .sparse import SAE
from .steer import Steer
from .values import Values
from .within import Projection, Subspace, Within
from .zero import Zero

__all__ = [
    "SAE",
    "Clamp",
    "Edit",
    "Features",
    "Knockout",
    "Mean",
    "Mixed",
    "Noise",
    "Part",
    "Patch",
    "Projection",
    "Resample",
    "Scale",
    "Steer",
    "Subspace",
    "Values",
    "Within",
    "Zero",
    "as_edit",
    "edit_from_json",
]
