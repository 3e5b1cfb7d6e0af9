study = mw.Study(lm, mw.tasks.facts(lm, n=8))
traced = mw.causal_tracing(study, corruption="noise")
mw.export_html("trace.html", mw.CausalTrace(traced))
