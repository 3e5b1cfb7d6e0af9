study = mw.Study(lm, mw.tasks.ioi(lm, n=32))
study.sweep("head")
mw.export_html("heads.html", mw.HeadGrid(study))
