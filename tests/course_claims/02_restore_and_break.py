# Two directions, two numbers; head A is nearer to enough than to needed.
assert percent("PIE", study, head_a) > 75 and percent("TIE", study, head_a) < 60
assert abs(inter - (tie - pie)) < 1e-9 and abs(tie - percent("TIE", study, head_a)) < 0.1
# What is in the boxes, and that a total effect of 0 hides two effects.
both_numbers = {
    box: (round(box_effect(box, "PIE")), round(box_effect(box, "TIE"))) for box in boxes
}
assert both_numbers == {"box 1": (1, -1), "box 2": (0, 1), "box 3": (1, 0)}
assert (box_1, box_2, box_3) == ("XOR", "AND", "OR") and boxes["box 1"].total["TE"] == 0
# Needed, not enough, and with its partner far above the sum.
assert percent("TIE", third, head_e) > 70 and percent("PIE", third, head_e) < 30
assert percent("PIE", third, head_d, head_e) > 25 + sum(
    percent("PIE", third, one) for one in (head_d, head_e)
)
assert abs(third.total["Y00"]) < 0.15 * third.total["Y11"]
# Nothing alone, everything together, and no interaction to warn of it.
for one in (mover, backup):
    assert max(abs(percent(key, mini, one)) for key in ("PIE", "TIE", "INT")) < 1
assert percent("TIE", mini, mover, backup) > 95 and set(hidden_pair) == {mover, backup}
# The trained model's backups: no effect in either direction, but for the movers' absence.
assert max(abs(percent(key, study, one)) for key in ("PIE", "TIE") for one in spare) < 0.1
assert abs(lost["the two silent heads"]) < 1 and lost["A and B"] < 15 and lost["all four"] > 50
# A row of stations, each with nearly the whole message.
assert summed() > 250 and abs(percent("PIE", study, *GRID) - 100) < 1
assert all(90 < percent("PIE", study, *chain) < 115 for chain in CHAINS)
assert passed_on > 90 and abs(held) < 1
# A negative head on every pair, without which the answer leads by more.
assert signs_of_c() == len(study.contrast) == 16 and what_happens() == BETTER and without_c() > 10
