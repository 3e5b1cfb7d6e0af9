assert separates() == "When John and Mary went to the store, John gave a book to"
assert abs(place_changed.total["TE"]) < 0.05 * place_changed.total["Y11"]
assert flips(place_changed, tellers) > 95 and flips(word_changed, tellers) < 10
assert flips(place_changed, movers) < 5 and flips(word_changed, movers) > 95
assert flips(many, tellers) > 95 and flips(many, movers) > 95
assert on_first > 90 and (shares() >= 80).mean() < 0.4 and shares().min() < 40
assert abs(own - many.total.pairs("Y00")).max() < 1e-4
assert abs(cut - many.total.pairs("Y11")).max() < 1e-4
assert restored_four > 95 and 35 < 100 * (random_sets() > 50).mean() < 65
assert len(asked) == 64 and asked.all() and iia_last == 100
assert right == 0 and (source != base).sum() > 20
assert accuracy(untrained, last) == 100
assert all(accuracy(lm, *sites) == 100 for sites in places.values())
assert accuracy(untrained, *movers) < 40 and accuracy(untrained, *places["before layer 3"]) < 90
assert fits[:4].all() and interchange(4, 4)[4:].mean() < 0.25
assert interchange(3, 1)[1:].mean() > 0.9
new_names = {frozenset((pair.answer, pair.wrong)) for pair in fresh}
assert not new_names & {frozenset((it.answer, it.wrong)) for it in [*swapped, *test_pairs]}
assert flips(strangers["other place"], tellers) > 95 and flips(strangers["same place"], tellers) < 5
assert lesson.credit == 0 and len(lesson.questions) == 10
