study = mw.Study(lm, pair)
study.intervene(mw.Site("head", 3, head=0))
mw.export_html("attention.html", mw.AttentionPattern(study))
