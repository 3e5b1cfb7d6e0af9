study = mw.Study(lm, pair)
mw.features.sweep(study, mw.features.teaching(3))
mw.export_html("features.html", mw.FeatureGrid(study, mw.features.teaching(3)))
