study = mw.Study(lm, pair)
for mediator in ("head", "mlp_out"):
    study.sweep(mediator)
study.sweep("residual", by="position")
study.intervene([mw.Site("head", 0, head=1), mw.Site("head", 3, head=0)])
mw.export_html("explorer.html", mw.Explorer(study))
