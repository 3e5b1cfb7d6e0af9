# The model says what was planted.
assert abs(p_she()["engineer"] - PROFESSIONS["engineer"]) < 0.03
assert (p_she() - pd.Series(PROFESSIONS)).abs().mean() < 0.02
# One change, two scales: less than twice as large, and more than twenty times.
one, other = totals().loc["plumber"], totals().loc["artist"]
assert 1.5 < one["probability"] / other["probability"] < 2.2
assert one["ratio of odds"] / other["ratio of odds"] > 20
assert four_largest > 0.4
# A head of layer 0 that nobody taught is stronger than the taught one, in part through it.
assert strongest.layer == 0 and all(strongest not in heads for heads in mw.teach.roles(lm).values())
assert taught.layer == 2
assert heads()["log odds"].nlargest(2).index.tolist() == [best, taught.label()]
assert 0.1 < relayed() < heads().loc[best, "log odds"] - 0.2
# Its share is 22% in odds, most of it in log odds, nearly all in probability.
assert f"{heads().loc[best, 'ratio of odds']:.0%}" == "22%"
assert 0.65 < heads().loc[best, "log odds"] < 0.85 and heads().loc[best, "probability"] > 0.9
# NDE and NIE leave most of TE out in odds, little in log odds.
direct, indirect, whole = parts("odds")
assert direct + indirect < whole / 2
direct, indirect, whole = parts("log")
assert 0.8 < (direct + indirect) / whole < 1
# No neuron matters, many do.
assert lm.n_layers * lm.d_mlp == 1536
assert max(share_of([site]) for site in neurons(5)) < 0.04
assert share_of(neurons(200)) > 0.3 and together < singles
# The taught head carries meaning as well as stereotype, and no other task.
assert lost(aside) > 0.5 and lost(meant) > 0.5
costs = pd.DataFrame(rows).T.loc[list(others)]
assert costs["lost without the taught head"].abs().max() < 0.5
assert costs["lost without the strongest head"].max() > 1.5
