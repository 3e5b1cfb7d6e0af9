"""Which position is read, and which columns are kept."""

from typing import Any

import pytest

from mediawidget.readouts import BASE_COLUMNS, Readout, joined, logit_column, token_of
from tests.asking import raised

ROLES = {"S2": 3, "far": 9}


@pytest.mark.parametrize(
    ("position", "expected"), [(None, 6), (0, 0), (6, 6), (-1, 6), (-7, 0), ("S2", 3)]
)
def test_a_position_is_a_number_a_role_or_the_last(
    position: int | str | None, expected: int
) -> None:
    assert Readout(position).at(7, ROLES) == expected


@pytest.mark.parametrize("position", [7, -8, "far"])
def test_a_position_out_of_range(position: int | str) -> None:
    error = raised(lambda: Readout(position).at(7, ROLES))
    assert str(ROLES.get(str(position), position)) in str(error.value)
    assert "0 to 6" in error.expected


def test_an_unknown_role_names_those_there_are() -> None:
    error = raised(lambda: Readout("S1").at(7, ROLES))
    assert "S1" in str(error.value)
    assert "S2" in error.expected
    assert "roles" in raised(lambda: Readout("S1").at(7)).expected


@pytest.mark.parametrize("position", [True, 1.0, "", (1, 2)])
def test_what_is_no_position(position: Any) -> None:
    assert repr(position) in str(raised(lambda: Readout(position)).value)


def test_what_is_no_reduction() -> None:
    assert "max" in str(raised(lambda: Readout(reduce="max")).value)  # type: ignore[arg-type]


@pytest.mark.parametrize("readout", [Readout(), Readout("S2", "mean"), Readout(-2)])
def test_a_readout_goes_to_json_and_back(readout: Readout) -> None:
    assert Readout(**readout.to_json()) == readout
    assert len({readout, Readout(**readout.to_json())}) == 1


def test_columns_are_joined_base_first_and_each_once() -> None:
    wanted = joined(("rank", "answer"), ("kl_clean", "rank"), (logit_column("a"),))
    assert wanted == (*BASE_COLUMNS, "rank", "kl_clean", "logit:a")
    assert "ranks" in str(raised(lambda: joined(["ranks"])).value)


@pytest.mark.parametrize("token", [" Mary", "logit:", "<script>", "a:b\n", "'", "rank", "\x00"])
def test_any_text_is_a_token(token: str) -> None:
    column = logit_column(token)
    assert token_of(column) == token
    assert column in joined([column])


@pytest.mark.parametrize("column", [*BASE_COLUMNS, "rank", "kl_clean"])
def test_other_columns_are_of_no_token(column: str) -> None:
    assert token_of(column) is None
