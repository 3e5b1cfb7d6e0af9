"""Features of the shipped sparse autoencoder, the strongest by an exact sweep."""

import mediawidget as mw
from benchmarks.mediators.kinds.base import Found, Kind, strongest
from benchmarks.mediators.subjects import Subject


def find(study: mw.Study, subject: Subject, k: int) -> Found | None:
    """Those that carry most one by one, patched together; the error stays the run's own."""
    if subject.sae is None:
        return None
    effect = mw.features.sweep(study, subject.sae, by={"site": "END"}, progress=False)
    units = effect.axes["feature"]
    best = [units[i] for i in strongest(effect, k + 1)]
    chosen = [int(unit) for unit in best if unit != "error"][:k]
    edit = mw.Within(mw.features.Features(subject.sae, chosen), mw.Patch())
    return Found({subject.site: edit}, len(chosen), subject.sae.n_features)


KIND = Kind("SAE features", 8, find)
