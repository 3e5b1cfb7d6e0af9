assert [pair.clean for pair in swap.contrast] == [pair.clean for pair in abc.contrast]
# One head, two corrupt prompts: half of the effect, or none; broken, it is needed under both.
assert share(swap, pointer, "PIE") > 40
assert abs(share(abc, pointer, "PIE")) < 5
assert share(abc, pointer, "TIE") > 40
assert found["Y01"] - found["Y00"] > 2
assert fallen in heads["S-inhibition"]
# Zero lets a layer off whose mean costs the answer, and accuses one that says nothing of names.
assert lost(layer3, mw.Zero()) < 1 < 9 < swap.total["Y11"] < lost(layer3, mw.Mean())
assert lost(layer3, mw.Resample(seed=0)) > swap.total["Y11"]
assert rows["name movers"][0] < 2.5 and abs(rows["backups"][0]) < 0.1
assert rows["name movers and backups"][0] > swap.total["Y11"] < rows["name movers"][1]
assert abs(lost(layer0, mw.Patch())) < 1e-3 and abs(lost(layer0, mw.Mean())) < 0.05
assert lost(layer0, mw.Zero()) > 1.5
assert farther > 2.5
assert distances(layer3)["to zero"] < distances(layer3)["to another prompt's"]
# The negative head: not to be seen at the floor, nor at the ceiling.
assert share(swap, against, "PIE") < -25 > share(swap, against, "TIE")
assert abs(share(swap, against, "PIE", mw.Prob())) < 2
assert abs(share(swap, against, "TIE", mw.Prob())) < 3
assert share(swap, against, "PIE", mw.LogProb()) < -40
assert abs(share(swap, against, "TIE", mw.LogProb())) < 1
assert by_odds < -10
# The report of the last question: zero and probability let the pointer off.
assert lost(pointer, mw.Zero()) < 0.5 and lost(pointer, mw.Patch()) > 5
