"""What a site is set to. One kind of edit a file."""

from .base import Edit, as_edit, edit_from_json
from .mean import Mean
from .patch import Patch
from .zero import Zero

__all__ = ["Edit", "Mean", "Patch", "Zero", "as_edit", "edit_from_json"]
