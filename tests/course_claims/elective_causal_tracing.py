# At the bottom the first word of the subject carries the fact, two layers up mostly the end.
assert at_layer(0)["the first word of the subject"] > 0.7
assert (
    max(at_layer(0)["the last word of the subject"], at_layer(0)["the last word of the prompt"])
    < 0.05
)
assert (
    at_layer(2)["the last word of the prompt"] > at_layer(2)["the last word of the subject"] > 0.05
)
# Two states of one row: more than their sum in probability, about their sum in logits.
shares = two()
assert shares["both"][0] > 0.95 > 0.8 > shares["subject"][0] + shares["end"][0]
assert abs(shares["both"][1] - shares["subject"][1] - shares["end"][1]) < 0.1
# The middle layer of the window does nothing, and is not missed.
assert abs(alone[1]) < 0.02 and wide.indirect("attn_out")[:, -1].argmax() == 1
assert without_middle > 0.95 and wide.indirect("attn_out")[1, -1] > 0.95
# Little noise breaks little; the strongest MLP does not grow steadily with it.
assert noisy(0.3).corrupted > 0.98 and noisy(1.0).corrupted > 0.85 and noisy(3.0).corrupted < 0.4
strongest_mlp = [noisy(sigma).indirect("mlp_out").max() for sigma in (0.3, 1.0, 3.0, 10.0)]
assert strongest_mlp[0] < strongest_mlp[1] < strongest_mlp[2] > strongest_mlp[3] > strongest_mlp[1]
assert nearest_to_itself(1.0) > 0.95
# The same push in logits, which a probability shows after noise alone.
assert cell(noised) > 0.3 and abs(cell(replaced)) < 0.05
assert abs(cell(in_logits["noise"]) - cell(in_logits["other"])) < 1.5
assert in_logits["noise"].corrupted > -2 and in_logits["other"].corrupted < -10
# After noise some third word leads, by a few logits (columns: answer, wrong, logsumexp).
assert 2 < (noised.corrupted_kept[..., 2] - noised.corrupted_kept[..., 0]).mean() < 8
assert 0.15 < share < 0.25
# Every layer takes the edit; it harms least far from where the trace points.
table = edits()
assert table["edit: new answer"].min() > 0.9
assert strongest() == "layer 0" and kindest() == "layer 5"
kept = table["edit: other facts kept"]
assert kept[kindest()] > 0.9 and kept[strongest()] < 0.4
