study = mw.Study(lm, mw.tasks.ioi(lm, n=8))
scores = mw.search.exact_edges(study)
board = mw.CircuitBoard(study, scores.circuit(110), scores=scores)
mw.export_html("circuit.html", board)
