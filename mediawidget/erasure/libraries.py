"""The libraries that fit probes and erasers: an extra, imported where they are first needed."""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

from ..errors import MediationError


def library(name: str) -> Any:
    """A module of scikit-learn or of concept-erasure, which ship no types.

    Raises:
        MediationError: it is not installed.
    """
    try:
        with warnings.catch_warnings():
            # Concept-erasure 0.2 compiles two functions with it that erasers do not call.
            script = r"`torch\.jit\.script` is (deprecated|not supported)"
            warnings.filterwarnings("ignore", script, DeprecationWarning)
            return import_module(name)
    except ImportError as error:
        raise MediationError(
            "Erasure needs scikit-learn and concept-erasure.",
            value=f"import {name}: {error}",
            expected="the extra 'probes'",
            fix="pip install 'mediawidget[probes]'",
        ) from error
