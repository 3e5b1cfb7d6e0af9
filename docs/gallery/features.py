study = mw.Study(lm, pair)
grid = mw.FeatureGrid(study, mw.features.teaching(3))
grid.run()
mw.export_html("features.html", grid)
