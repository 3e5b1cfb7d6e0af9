"""Random runs laid out as one growing batch, against the same runs one by one, in a toy."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.edits.base import BASES
from mediawidget.plan import Program, Template, make_program, make_template
from tests.plan.toy import D_MLP, LENGTH, N_HEADS, N_LAYERS, N_PAIRS, WIDTHS, D, Toy

TOYS = {
    "causal": Toy(),
    "late": Toy(first=3, reads=(2, 4)),
    "early": Toy(first=0, reads=(3,)),
    "both ways": Toy(causal=False, first=2, reads=(1,)),
}
FROZEN: list[Any] = [
    *("head", "mlp_out", "neuron", "residual", "value"),
    ("query", "pattern"),
    ("mlp_unit", mw.Site("head", 1, head=1, position=(2, 4))),
]
positions = st.sampled_from([None, None, 0, 2, 3, 4, (1, 3), (2, 4)])


@st.composite
def sites(draw: st.DrawFn) -> mw.Site:
    mediator = draw(st.sampled_from(list(WIDTHS)))
    layers = 1 if mediator.startswith("embedding") else N_LAYERS + (mediator == "residual")
    layer = draw(st.integers(0, layers - 1))
    if mediator == "edge":
        query = draw(st.integers(1, LENGTH - 1))
        head = draw(st.sampled_from([None, 0, 1]))
        return mw.Site("edge", layer, head=head, position=query, key=draw(st.integers(0, query)))
    index: dict[str, int] = {}
    if mediator in ("head", "query", "key", "value", "pattern"):
        index = {"head": draw(st.integers(0, N_HEADS - 1))}
    if mediator in ("neuron", "mlp_unit", "embedding_unit"):
        index = {"unit": draw(st.integers(0, (D_MLP if mediator == "neuron" else D) - 1))}
    return mw.Site(mediator, layer, position=draw(positions), **index)


@st.composite
def edits(draw: st.DrawFn, site: mw.Site, depth: int) -> mw.Edit:
    alphas = st.sampled_from([1.0, 1.0, 0.5, 0.0, -1.0])
    given_: list[Any] = [
        st.builds(mw.Patch, st.sampled_from([None, *BASES]), alphas),
        st.just(mw.Zero()),
        st.sampled_from([mw.Scale(1.0), mw.Scale(-2.0)]),
        st.builds(mw.Resample, st.integers(0, 1), st.sampled_from([None, *BASES])),
    ]
    if depth:
        given_ += [st.builds(mw.Patch, runs(depth - 1), alphas)] * 2
    width = WIDTHS[site.mediator]
    if site.mediator == "edge":
        given_.append(st.just(mw.Knockout()))
    elif site.mediator != "pattern":
        vector = np.arange(1.0, width + 1)
        given_.append(
            st.sampled_from([mw.Steer(vector, -0.5), mw.Steer(-vector), mw.Clamp(vector)])
        )
        if width > 1:
            part = mw.Subspace.random(1, width, draw(st.integers(0, 1)))
            given_.append(
                st.builds(mw.Within, st.just(part), st.sampled_from([mw.Patch(), mw.Zero()]))
            )
    found: mw.Edit = draw(st.one_of(given_))
    return found


@st.composite
def runs(draw: st.DrawFn, depth: int) -> mw.Run:
    """No two edits at one point of a layer; up to ``depth`` runs lend to each other in a row."""
    found: dict[mw.Site, mw.Edit] = {}
    taken: set[tuple[str, int]] = set()
    for _ in range(draw(st.integers(0, 3))):
        site = draw(sites())
        layer = site.layer + (site.mediator == "residual_post")
        kind = {"residual_post": "residual", "embedding_unit": "embedding", "neuron": "neurons"}
        place = (
            kind.get(
                site.mediator,
                {"mlp_unit": "mlp_out", "edge": "pattern"}.get(site.mediator, site.mediator),
            ),
            layer,
        )
        if place not in taken:
            taken.add(place)
            found[site] = draw(edits(site, depth))
    freeze = draw(st.sampled_from([(), (), (), *FROZEN]))
    cut = any(isinstance(edit, mw.Knockout) for edit in found.values())
    return mw.Run(
        draw(st.sampled_from(BASES)), found, () if cut and "pattern" in freeze else freeze
    )


def check(toy: Toy, some: list[mw.Run], template: Template, program: Program) -> None:
    """Every run that is in the program, and every other one its base."""
    out = toy.follow(template, program)
    assert len(program.base_of_row) == len(program.grow) == len(program.late)
    for index, run in enumerate(some):
        for pair in range(N_PAIRS):
            expected = toy.read(run, pair)
            if template.implied[index]:
                np.testing.assert_allclose(toy.read(mw.Run(run.base), pair), expected, atol=1e-9)
            else:
                got = out[program.end[index, pair]]
                np.testing.assert_allclose(got, expected, atol=1e-9, err_msg=repr(run))
    _each_does_what_it_is_to(template, program)


def _each_does_what_it_is_to(template: Template, program: Program) -> None:
    """On the way from a run's node to its root lie the run's own entries, each once."""
    columns = ("stage", "n_units", "position", "unit", "constant", "keep", "take", "add", "within")
    steps = [
        tuple(
            getattr(step, name)[i] if np.ndim(getattr(step, name)) else getattr(step, name)
            for name in columns
        )
        for step in program.steps
        for i in range(0, len(step.row), N_PAIRS)
    ]
    for run, node in program.node_of_run.items():
        above = set()
        while node >= 0:
            above.add(node)
            node = program.parents[node]  # noqa: PLW2901 - up to the root
        made = [one for one, by in zip(steps, program.node_of_entry, strict=True) if by in above]
        entries = template.entries.take_rows(template.entries.run == run)
        asked = [tuple(getattr(entries, name)[i] for name in columns) for i in range(len(entries))]
        assert Counter(made) == Counter(asked)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(list(TOYS)),
    st.lists(runs(2), min_size=1, max_size=4),
    st.booleans(),
    st.sampled_from([(), (1,), range(1, N_LAYERS + 1)]),
    st.booleans(),
)
def test_a_batch_of_runs_is_each_run_alone(
    name: str, some: list[mw.Run], keep_bases: bool, late: Any, from_begin: bool
) -> None:
    toy = TOYS[name]
    template = make_template(some, toy.frame)
    asked = np.arange(len(some))
    begin = 0 if from_begin else min(int(template.start.min()), N_LAYERS + 1)
    program = make_program(template, asked, N_PAIRS, keep_bases=keep_bases, begin=begin, late=late)
    check(toy, some, template, program)
    if keep_bases:
        out = toy.follow(template, program)
        for index, base in enumerate(template.frame.bases):
            for pair in range(N_PAIRS):
                got = out[program.bases[index, pair]]
                np.testing.assert_allclose(got, toy.read(mw.Run(base), pair), atol=1e-9)
    else:
        assert (program.bases == -1).all()
        assert (program.end[template.implied] == -1).all()
