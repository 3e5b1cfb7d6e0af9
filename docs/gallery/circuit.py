study = mw.Study(lm, mw.tasks.ioi(lm, n=8))
scores = mw.search.eap(study)
board = mw.CircuitBoard(study, scores.circuit(40), scores=scores)
mw.export_html("circuit.html", board)
