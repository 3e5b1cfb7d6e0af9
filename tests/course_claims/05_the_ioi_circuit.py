# A window's effect is not that of the layer in its middle.
assert (
    by_window(3)[4] > 70
    and abs(by_window(1)[4]) < 1
    and by_window(1)[3] > 90 > -20 > by_window(1)[5]
)
# Six heads at a fifth of the total effect; three write to the logits, the pointers hardly do.
assert int((abs(effect.normalized("TIE")) >= 0.2).sum()) == 6
writes = {site for site in [*movers, negative] if abs(share(direct, site)) > 25}
assert len(writes) == 3 and int((abs(direct["TIE"]) > 0.15 * study.total["TE"]).sum()) == 3
assert share(effect, pointers[1]) > 40 and share(direct, pointers[1]) < 10
assert set(senders) == set(pointers) and root == duplicate
# Attention and probe say everything, the intervention nothing; and the other way round.
assert looks > 0.75 and abs(broken(induction)) < 3 and accuracy(induction) > 95
assert (
    abs(pattern_restores(pointers[0]))
    < 1
    < 40
    < 100 * quiet.intervene(pointers[0]).normalized("PIE")
)
assert pattern_restores(movers[0]) > 50
assert attention(negative, "END", "IO") > 0.95 and share(effect, negative) < -25
assert all(row[2] > 75 for row in rows)
# The chain does more than the model; its negative head is missing; under zero it is no circuit.
assert 1.2 < faithful(chain) < 1.4 and 0.85 < faithful(six) < 1 and set(completed) == set(six)
assert faithful(six, "zero") < 0.3 and under_zero() == LESS
assert faithful([*chain, induction, heads["previous token"][0]], "zero") > 0.8
board = mw.CircuitBoard(study, circuit, mode="node")
assert board.mode == "node" and not board.note
assert abs(mw.evaluation.faithfulness(quiet, circuit).normalized - faithful(six)) < 0.05
