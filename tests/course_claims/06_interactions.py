assert 300 < sum_of_shares() < 340
assert abs(restored(dup, mover) - restored(dup)) < 2 < restored(mover) / 2
assert survives() == LATE
assert abs(mover_held - restored(mover)) < 0.1
assert restored(dup, hold=[mover]) < 0.5 * restored(dup)
assert restored(*movers) < restored(mover) + restored(other_mover) - 50
assert abs(dividends.sum() - worth("ABC")) < 0.01
assert abs(d_ac - dividends["AC"]) < 0.01 and abs(d_abc - dividends["ABC"]) < 0.01
assert abs(recomputed.sum() - worth("ABC")) < 0.01
assert abs(frozen_shares().iloc[0]) < 5 and recomputed["A"] > 20
assert abs(frozen_shares().sum() - 100) < 0.01
assert abs(percent(three_names, inhibit, "PIE")) < 5 and percent(three_names, inhibit, "TIE") > 90
assert abs(percent(three_names, both_names, "PIE")) < 5
assert percent(three_names, [*inhibit, *both_names], "PIE") > 80
assert lost(*movers) < lost(mover)
assert lost(*backups) < 1 and flat < 0.1 and lost(*movers, *backups) > 100
assert (shares["error"] > 1).any()
assert lesson.credit == 0 and len(lesson.questions) == 9
