# The same score as the taught model, another grid: one head does it all, in both directions.
assert (aside.total.pairs("Y11") > 0).all() and (taught_study.total.pairs("Y11") > 0).all()
assert strong(heads) == 1 and strong(taught_study.grids["head"]) == 6
assert (
    min(
        heads[key].ravel()[heads["PIE"].argmax()] / heads["TE"].ravel()[0] for key in ("PIE", "TIE")
    )
    > 0.95
)
# The saved grids are of these weights.
assert np.abs(live["PIE"] - heads["PIE"]).max() < 0.01
# It looks at the giver, and the MLPs make an answer of what it says.
assert looks_at()["the giver's second mention"] > 0.9
assert held() < 0.3 and aside.intervene(bright).normalized("PIE") > 0.95
assert 0.4 < by_layer.max() < 0.5 and by_layer.min() > 0.03
assert 0.7 < all_mlps < 0.9 and by_layer.sum() > 1.05
assert (heads.normalized("PIE")[1] > 0.03).all()
# The giver's first mention, a candidate that nothing rules out; the swap cannot see it.
assert word("S1") < -0.6 and abs(word("S1", "swap")) < 0.01
assert word("IO") > 0.8 and 0.1 < word("S2") < 0.5
# The last name is taken for the giver, by the bright head more than by the rest.
assert accuracy(messy, AS_TRAINED) == accuracy(taught, AS_TRAINED) == 1
assert max(accuracy(messy, frame) for frame in OTHERS) < 0.3
assert 0.4 < on_others(taught) < 0.7 and my_accuracy < 0.3
before, after = repaired()
assert before < 0.2 and 0.5 < after < 0.9
