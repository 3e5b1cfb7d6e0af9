study = mw.Study(lm, mw.tasks.ioi(lm, n=32))
study.intervene(mw.Site("head", 3, head=0))
mw.export_html("diagram.html", mw.MediationDiagram(study))
