# Thin targets over scripts/; `make help` lists them.

.DEFAULT_GOAL := help
.PHONY: help demo test test-remote check setup docs docs-serve bench bench-circuits bench-mediators bench-hub model mutate nightly clean

python := sh scripts/with_python.sh
venv := .venv/bin/python

port := $(if $(PORT),--port=$(PORT))
# Only from the command line: a TOKEN in the environment may be somebody's secret.
token := $(if $(filter command,$(origin TOKEN)),--token='$(TOKEN)')

export PYTHON TORCH TORCH_INDEX_URL CHROMIUM

help: ## list the targets and their settings
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 24
	@echo
	@echo '  Settings: PYTHON=python3.12          the Python for .venv (3.11 or newer)'
	@echo '            TORCH=cpu|cuda             the build of torch'
	@echo '            TORCH_INDEX_URL=           an index that offers another build of torch'
	@echo '            LAB=0  PORT=8888  TOKEN=   make demo: no JupyterLab; its port; its token (TOKEN= for none)'
	@echo '            ONLY="ruff pytest"         make test, make check: these steps alone'
	@echo '            ONLY="3.12-lowest"         make nightly: these combinations alone'
	@echo '            CHROMIUM=/path             make test: the browser'
	@echo '            ALL=1                      make clean: .venv and js/node_modules too'

demo: setup ## set up, run the first study, open the notebook in JupyterLab
	@$(venv) -m mediawidget study
ifneq ($(LAB),0)
	@$(venv) -m mediawidget open examples/01_click_to_patch.ipynb $(port) $(token)
endif

test: setup ## everything: lint, types, Python, JavaScript and browser tests
	@$(venv) scripts/checks.py all $(ONLY)

test-remote: setup ## run traces in the sandbox of a real NDIF server (minutes; needs pip's index once)
	@$(venv) scripts/remote.py

check: setup ## the quick part of it (ten minutes on two cores)
	@$(venv) scripts/checks.py quick $(ONLY)

setup: ## make .venv, install everything, build the front end
	@$(python) scripts/setup.py

docs: setup ## build the documentation site: site/index.html, which needs no server
	@NO_MKDOCS_2_WARNING=1 $(venv) -m mkdocs build --strict --quiet
	@echo 'docs: open site/index.html'

docs-serve: setup ## the same, served and built anew on every change
	@NO_MKDOCS_2_WARNING=1 $(venv) -m mkdocs serve $(if $(PORT),--dev-addr=127.0.0.1:$(PORT))

bench: setup ## measure speed beside TransformerLens and plain hooks
	@$(venv) -m benchmarks

bench-circuits: setup ## hold searches for circuits against circuits that are known
	@$(venv) -m benchmarks.circuits

bench-mediators: setup ## hold kinds of mediator against each other on the same pairs
	@$(venv) -m benchmarks.mediators

bench-hub: setup ## memory and time of kernels on a server of many; needs root for its rooms
	@$(venv) -m benchmarks.hub

model: setup ## train the embedded teaching model anew (minutes on a CPU)
	@$(venv) -m training.train_teaching_model --out mediawidget/models/teaching

mutate: setup ## change the statistics in one place at a time: does a test fail? (hours; pip's index once)
	@$(venv) scripts/mutate.py $(ONLY)

nightly: setup ## try the ends of the declared versions; writes docs/support.md (pip's index)
	@$(venv) scripts/support.py $(ONLY)

clean: ## remove what was built, and caches
	@$(python) scripts/clean.py $(if $(ALL),--all)
