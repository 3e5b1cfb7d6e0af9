"""The self-check says which server would be asked, and nothing of its key."""

from __future__ import annotations

import pytest

from mediawidget.commands import check


def test_it_says_whether_a_key_is_there_and_not_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnsight.CONFIG.API.APIKEY", None)
    monkeypatch.setenv("NDIF_HOST", "https://ndif.example.edu")
    monkeypatch.delenv("NDIF_API_KEY", raising=False)
    assert "https://ndif.example.edu, no key" in check.server()
    monkeypatch.setenv("NDIF_API_KEY", "11111111-secret")
    assert "a key is there" in check.server()
    assert "secret" not in check.server()


@pytest.mark.parametrize(
    ("name", "value"), [("NDIF_HOST", "nowhere"), ("NDIF_API_KEY", "two secret words")]
)
def test_what_cannot_be_one_is_said_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    said = check.server()
    assert said.startswith("server ")
    assert "NDIF" in said
    assert "secret" not in said
