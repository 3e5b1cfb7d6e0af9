# The patch by hand is the click, in both directions.
assert abs(by_hand - effect["Y01"]) < 1e-3 and abs(by_hand - effect["Y00"]) > 5
# Three patches that do nothing; nothing has come to the last token before layer 2.
assert quiet_ones() == ALL_THREE
there = [study.activations(at_end, base=base).array for base in ("clean", "corrupt")]
assert np.abs(there[0] - there[1]).max() < 1e-3 * np.abs(there[0]).max()
# Setting moves what comes after, and nothing else.
assert (
    who_moves() == LATER
    and moved_z()[: head_d.layer + 1].sum() - moved_z()[head_d.layer, head_d.head] == 0
)
# The answer has left the word that differs before layer 3; before layer 2 it is still there.
assert (
    in_row_three() == whole and percent("PIE", whole) > 98 and abs(percent("PIE", same_token)) < 10
)
assert percent("PIE", mw.Site("residual", 2, position=same_token.position)) > 98
assert abs(percent("PIE", mw.Site("residual", 2, position=last))) < QUIET
assert abs(percent("PIE", cut) - 100) < 0.1
# A switch and nearly a straight line.
assert abs(quarter()) < 3 and at_dose(head_f, 0.5) > 60 and percent("PIE", head_f) > 90
assert all(
    abs(at_dose(head_a, alpha) - alpha * at_dose(head_a, 1.0)) < 4 for alpha in (0.25, 0.5, 0.75)
)
# The same number, another content.
assert bet_after(3)[0] == "Mary" and bet_after(4)[0] == "Tom"
assert min(bet_after(3)[1], bet_after(4)[1]) > 0.9
fourth = mw.Site("residual", 4, position=last)
assert abs(percent("PIE", whole) - percent("PIE", fourth)) < 1 and where == fourth
assert abs(half - (effect["Y00"] + at_dose(head_f, 0.5) / 100 * effect["TE"])) < 1e-3
