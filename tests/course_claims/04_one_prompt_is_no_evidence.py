# The report from one pair is wrong about both heads; the pair was the extreme one of 200.
assert of_one(induction) > 50 and of_many(induction) < 10
assert abs(of_one(mover)) < 1 and round(of_many(mover)) == 45
assert not [it for it in single.sweep("head", progress=False).checks if it.ok is False]
drawn = mw.Study(lm, mw.tasks.ioi(lm, n=200, corruption="third-name", seed=3))
of_drawn = drawn.sweep("head", progress=False).pairs("TIE")[:, induction.layer, induction.head]
chosen = int((of_drawn / drawn.total.pairs("TE")).argmax())
assert (drawn.contrast[chosen].clean, drawn.contrast[chosen].corrupt) == (one.clean, one.corrupt)
# Two kinds of pairs, and nearly none near the mean.
assert in_the_middle() < 12 and int((abs(shares(mover)) < 0.05).sum()) > 25
groups = effect.by_group("TIE").query("site == @M").set_index("group")["mean"]
assert abs(groups["BABA"]) < 0.1 and groups["ABBA"] > 8 and abs(active - groups["ABBA"]) < 1e-9
attended = pd.Series(looks).groupby(order).mean()
assert attended["ABBA"] < 0.01 and attended["BABA"] > 0.99
# Four times the pairs, half the width.
assert 1.6 < width(16) / width(64) < 2.4
# Where there is nothing: about one in twenty by chance, hardly any again, none by q.
assert 9 <= int(significant(nothing).sum()) <= 22 and again() <= 2
assert int((swept.q_values("TIE") < 0.05).sum()) == 0
assert abs(swept.pairs("TIE")).max(axis=0).min() > 1e-3  # effects, not rounding
assert certain.sum() > sure_and_large == 8 and size[certain].min() < 0.001
# Twelve templates are fewer than 72 pairs.
assert by_template.intervene(mover).n_clusters == 12 < by_pair.intervene(mover).n_clusters == 72
assert 1.7 < wide(by_template) / wide(by_pair) < 2.6
