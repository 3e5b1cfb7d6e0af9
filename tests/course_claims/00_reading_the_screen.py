# What the lesson's words and answers rest on, for every order of the heads.
assert len(lm.tokens(pair.clean)) == 15 and abs(clean_lead - study.total["Y11"]) < 0.01
assert study.total["Y00"] < -3 < 3 < study.total["Y11"] and corrupt_end() == LESS
# "Head A alone brings most of the answer back"; head C is the only red one among few that count.
assert percent("PIE", head_a) > 75 and abs(restored - percent("PIE", head_a)) < 0.1
assert 5 <= heads_that_count() <= 9
shares_of_all = study.sweep("head", progress=False)["PIE"] / study.total["TE"]
assert [tuple(place) for place in (shares_of_all < -0.1).nonzero()] == [
    (head_c.layer,),
    (head_c.head,),
]
assert columns_of_zeros() == study.token_pairs[0].first_difference == 10
# Beyond the clean end, far from the sum; head C takes most of the surplus away.
assert together() == BEYOND
both, alone = percent("PIE", head_a, head_b), [percent("PIE", one) for one in (head_a, head_b)]
assert 102 < both < sum(alone) - 30 and percent("PIE", *TRIPLE) < both - 5
assert needle_corner() == "Y01"
# Break is another number, and blue too.
assert colour_of_break() == BLUE and percent("PIE", head_a) - percent("TIE", head_a) > 20
assert {"self-patch", "full cut", "plain forward"} <= {check.name for check in effect.checks}
assert all(check.ok for check in effect.checks)
