"""Supervised searches for the part of a site that carries a variable.

The pairs say which variable: the corrupt prompt is the base, the clean one the source, and the
pair's answer is what a network should say on the base once the variable is the source's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from ..errors import require
from ..jobs import Job
from ..search.pair_splits import Numbers, split
from ..sites import Site
from ..statistics import cluster_codes, clusters_of
from ..study import Study, refuse_no_study
from .options import Asked, Options, asked
from .questions import Question, question_of
from .result import Aligned
from .rotations import Basis, Bounded, Mask
from .searching import Searching, held_aside


def das(
    study: Study, site: Site, k: int = 1, *, progress: bool = True, **options: Unpack[Options]
) -> Aligned:
    """Distributed alignment search: the k directions of a site whose interchange gives the answers.

    An orthonormal basis is trained by Adam to make the answer likely when the site is
    h + P (h_source - h), P the projection onto the basis and h what the site is on the base (a
    state: by then, earlier steps being edited). A quarter of the pairs that train is held aside to
    end the training, and what is reported is of other pairs yet: real runs with
    ``Within(subspace, Patch("clean"))``.

    Args:
        study: pairs of which the corrupt prompt is the base and the clean one the source; the
            pair's answer is what the interchange is to give.
        site: where, as ``Site("residual", 3, position="END")``; the same basis at each position.
        k: how many directions, up to all of the site's width.
        progress: whether to show a bar.
        options: ``Options``; by default up to 100 epochs, a patience of 50, and up to 5 starts.

    Raises:
        MediationError: no such site or k, options that are none, a model without gradients,
            answers of several tokens.

    Source: Geiger et al. 2023, "Finding alignments between interpretable causal variables and
    distributed neural representations".

    Example:
        >>> found = mw.alignment.das(study, mw.Site("residual", 3, position="END"), k=1)
        >>> found.iia, found.subspace
    """
    return das_job(study, site, k, **options).result(progress)


def das_job(study: Study, site: Site, k: int = 1, **options: Unpack[Options]) -> Job[Aligned]:
    """``das``, not yet started; cancelled, it is what was found so far, run for real.

    Arguments and errors as for ``das``.
    """
    search = das_search(study, site, k, asked(options, patience=50, starts=5))
    return Job(search.steps(), search.total, search.result)


def das_search(
    study: Study, site: Site, k: int, how: Asked, question: Question | None = None
) -> Searching:
    """The search behind ``das``, of another question where one is given."""
    question = question_at(study, site, how) if question is None else question
    whole: object = k
    require(
        isinstance(whole, int) and not isinstance(whole, bool) and 1 <= whole <= question.width,
        "A subspace has at least one direction and no more than its site.",
        value=k,
        expected=f"an int from 1 to {question.width}",
        fix="mw.alignment.das(study, site, k=1)",
    )
    return Searching(
        "das",
        *(study, site, question, how, _pairs(study, how)),
        lambda seed: Basis(question.width, k, seed, question.change),
        {"k": k},
    )


def boundless(
    study: Study, site: Site, *, progress: bool = True, **options: Unpack[Options]
) -> Aligned:
    """Boundless DAS: a whole rotation, and a learned boundary that says how many directions.

    Direction i is inside by sigmoid((b d - i - 1/2) / T), d the site's width; b starts at 1/2 and
    T falls geometrically from d / 8 to 1/10. The subspace is that of the boundary rounded, at
    least one direction; ``soft_iia`` is of the map before rounding, ``boundary`` is b d.

    Args:
        study: pairs, as for ``das``.
        site: where.
        progress: whether to show a bar.
        options: ``Options``; b costs 1 nat by default, for all of the site.

    Raises:
        MediationError: what ``das`` raises, but for ``k``.

    Source: Wu et al. 2023, "Interpretability at scale: identifying causal mechanisms in Alpaca".
    """
    return boundless_job(study, site, **options).result(progress)


def boundless_job(study: Study, site: Site, **options: Unpack[Options]) -> Job[Aligned]:
    """``boundless``, not yet started; cancelled, it is what was found so far, run for real.

    Arguments and errors as for ``boundless``.
    """
    how = asked(options, penalty=1.0)
    question = question_at(study, site, how)
    width = question.width
    how = replace(
        how,
        schedule=replace(how.schedule, patience=None, temperatures=(max(1.0, width / 8), 0.1)),
    )
    search = Searching(
        "boundless",
        *(study, site, question, how, _pairs(study, how)),
        lambda seed: Bounded(width, seed, question.change),
    )
    return Job(search.steps(), search.total, search.result)


def neuron_masks(
    study: Study, site: Site, *, progress: bool = True, **options: Unpack[Options]
) -> Aligned:
    """A trained mask over a site's own numbers: which of them carry the variable, unrotated.

    Number i is written by sigmoid(m_i / T), T falling geometrically from 1 to 1/100;
    ``coordinates`` are those of m_i above 0, at least one, and the subspace is theirs.

    Args:
        study: pairs, as for ``das``.
        site: where.
        progress: whether to show a bar.
        options: ``Options``; a full mask costs 0.1 nats by default, and the rate is 0.1.

    Raises:
        MediationError: what ``das`` raises, but for ``k``.

    Source: differential binary masking (De Cao et al. 2020).
    """
    return neuron_masks_job(study, site, **options).result(progress)


def neuron_masks_job(study: Study, site: Site, **options: Unpack[Options]) -> Job[Aligned]:
    """``neuron_masks``, not yet started; cancelled, it is what was found so far, run for real.

    Arguments and errors as for ``neuron_masks``.
    """
    how = asked(options, penalty=0.1, rate=0.1)
    how = replace(how, schedule=replace(how.schedule, patience=None, temperatures=(1.0, 0.01)))
    question = question_at(study, site, how)
    search = Searching(
        "neurons",
        *(study, site, question, how, _pairs(study, how)),
        lambda _: Mask(question.width, question.change),
    )
    return Job(search.steps(), search.total, search.result)


def question_at(study: Study, site: Site, how: Asked) -> Question:
    """What is asked of the study at that site.

    Raises:
        MediationError: no study, no site whose value is a vector, and what ``question_of`` raises.
    """
    refuse_no_study(study)
    _refuse_no_vector(site)
    return question_of(study, site, how.over)


def _refuse_no_vector(site: object) -> None:
    require(
        isinstance(site, Site) and site.mediator not in ("pattern", "edge"),
        "An alignment is of a site whose value is a vector.",
        value=site,
        expected="mw.Site('residual', 3, position='END'), or of head, neurons, mlp_out, attn_out",
        fix="mw.alignment.das(study, mw.Site('residual', 3, position='END'))",
    )


def _pairs(study: Study, how: Asked) -> tuple[Numbers, Numbers, Numbers]:
    """Those that train, those that end it, those that are reported on."""
    n = len(study.contrast)
    alone = len(set(cluster_codes(clusters_of(study.contrast), n).tolist())) < 2
    choose = "half" if how.train_on is None and not alone else how.train_on
    first, report = split(study, choose, how.report_on, how.schedule.seed)
    return (*held_aside(first, how.schedule.seed), report)
