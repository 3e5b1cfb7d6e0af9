"""GELU in parts is torch's, to rounding, wherever it stands in for it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import gelu

from mediawidget import tanh_gelu as module
from mediawidget.tanh_gelu import tanh_gelu


def reference(value: torch.Tensor) -> torch.Tensor:
    return gelu(value.double(), approximate="tanh").to(value.dtype)


@settings(deadline=None)
@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=40), st.integers(1, 7))
def test_it_is_torchs_in_parts_of_any_size(numbers: list[float], part: int) -> None:
    value = torch.tensor(numbers, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PART", part)
        torch.testing.assert_close(tanh_gelu(value), reference(value), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_every_precision(dtype: torch.dtype) -> None:
    value = torch.linspace(-12, 12, 4800).view(3, 800, 2).to(dtype)
    step = torch.finfo(dtype).eps
    # Near -5 a tenth of the last digits of 1 is what is left of the function.
    torch.testing.assert_close(tanh_gelu(value), reference(value), rtol=4 * step, atol=2 * step)
    assert tanh_gelu(value).dtype == dtype


def test_what_is_no_number_or_has_no_bound() -> None:
    value = torch.tensor([0.0, 1e30, -1e30, torch.inf, -torch.inf, torch.nan])
    torch.testing.assert_close(
        tanh_gelu(value), gelu(value, approximate="tanh"), rtol=0, atol=0, equal_nan=True
    )


def test_what_came_is_left_alone_however_it_lies() -> None:
    value = torch.randn(6, 4, 10)[:, ::2].transpose(0, 1)
    before = value.clone()
    torch.testing.assert_close(tanh_gelu(value), reference(value))
    assert torch.equal(value, before)


def test_a_gradient_passes() -> None:
    value = torch.randn(7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(tanh_gelu, (value,))
