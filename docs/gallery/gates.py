mw.export_html("gates.html", mw.GatePlayground("AND"))
