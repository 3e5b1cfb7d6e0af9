study = mw.Study(lm, pair)
study.sweep("residual", by="position")
mw.export_html("tokens.html", mw.TokenHeatmap(study))
