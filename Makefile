# make demo · make test · and each step by name. Everything installs itself into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= .khabar/demo
SOURCES ?= $(firstword $(wildcard sources ../sources ../*/sources))
WIRE := $(if $(SOURCES),--sources $(SOURCES))
SPLITS := --split test $(if $(SOURCES),--split wire)
export KHABAR_SOURCES := $(abspath $(SOURCES))
.DEFAULT_GOAL := help
.PHONY: help install demo test quick lint types splits gold derived serve projects export baselines curves reproduce rehearsal screenshots bench wheel clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "→ installing into $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(VENV)/installed ## make .venv with everything

demo: $(VENV)/installed ## the whole way, from documents to the scoreboard (KEEP=1 leaves Label Studio running)
	@if [ -f $(DATA)/khabar.json ]; then $(BIN)/python scripts/serve_label_studio.py --data $(DATA) --stop; fi
	@rm -rf $(DATA) .khabar/predictions
	@echo "→ 1/9 Label Studio"
	@$(BIN)/python scripts/serve_label_studio.py --data $(DATA)
	@$(MAKE) --no-print-directory demo-steps || { $(BIN)/python scripts/serve_label_studio.py --data $(DATA) --stop; exit 1; }
ifeq ($(KEEP),1)
	@$(BIN)/python scripts/serve_label_studio.py --data $(DATA) --who
else
	@$(BIN)/python scripts/serve_label_studio.py --data $(DATA) --stop
endif

.PHONY: demo-steps
demo-steps:
	@echo "→ 2/9 projects, documents, both annotators' work"
	@$(BIN)/python scripts/create_projects.py --data $(DATA) $(WIRE)
	@echo "→ 3/9 export, compared with the repository"
	@$(BIN)/python scripts/export_annotations.py --data $(DATA) $(WIRE) --check
	@echo "→ 4/9 agreement before, decisions, gold with where it comes from"
	@for campaign in $(DATA)/campaigns/*; do \
		name=$$(basename $$campaign); \
		$(BIN)/khabar campaign agreement $$campaign --no-gamma --html $$campaign/agreement.html > $$campaign/agreement.txt || exit 1; \
		sed -n '1,23p' $$campaign/agreement.txt; \
		$(BIN)/khabar campaign adjudicate $$campaign --decisions annotations/campaigns/$$name/decisions.jsonl || exit 1; \
		$(BIN)/khabar campaign close $$campaign || exit 1; \
		tail -n +2 annotations/gold/$$name.jsonl | cmp - $$campaign/gold.jsonl && echo "$$name: the gold is the repository's" || exit 1; \
	done
	@echo "→ 5/9 gold and splits, rebuilt and compared byte for byte"
	@$(BIN)/python scripts/build_gold.py --check
	@$(BIN)/python scripts/build_splits.py --check
	@echo "→ 6/9 load_dataset"
	@$(BIN)/python scripts/load_splits.py
	@echo "→ 7/9 training the baselines"
	@$(BIN)/python evaluation/baselines/dictionary/predict.py --output .khabar/predictions/dictionary $(SPLITS) $(WIRE)
	@$(BIN)/python evaluation/baselines/crf/predict.py --output .khabar/predictions/crf $(SPLITS) $(WIRE)
	@echo "→ 8/9 scoring"
	@$(BIN)/khabar evaluate .khabar/predictions/crf/test.jsonl --split test --layers actors,fillers,triggers --name crf
	@echo "→ 9/9 scoreboard"
	@$(BIN)/python scripts/scoreboard.py .khabar/predictions

test: $(VENV)/installed ## every check: lint, types, tests
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && echo "lint: clean"
	@$(MAKE) --no-print-directory types
	@$(BIN)/python -m pytest -n 2 --dist loadfile

quick: $(VENV)/installed ## the tests that take seconds
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

lint: $(VENV)/installed ## ruff, lint and format
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(VENV)/installed ## mypy, strict
	@$(BIN)/mypy && for file in scripts/*.py evaluation/*.py evaluation/benchmarks/*.py evaluation/baselines/*/*.py; do $(BIN)/mypy --no-error-summary $$file || exit 1; done

gold: $(VENV)/installed ## make the gold from exports and decisions
	@$(BIN)/python scripts/build_gold.py $(WIRE)

baselines: $(VENV)/installed ## predict and score the baselines again (needs the wire articles)
	@for name in dictionary crf; do $(BIN)/python evaluation/baselines/$$name/predict.py --output evaluation/baselines/$$name/predictions --split validation $(SPLITS) $(WIRE); done
	@$(BIN)/python evaluation/reproduce.py --write

curves: $(VENV)/installed ## train the CRF on more and more documents (evaluation/learning)
	@$(BIN)/python evaluation/learning_curves.py $(WIRE)

reproduce: $(VENV)/installed ## score every stored prediction again
	@$(BIN)/python evaluation/reproduce.py

splits: $(VENV)/installed ## make splits/
	@$(BIN)/python scripts/build_splits.py

derived: gold splits baselines ## everything that is derived, in order
	@$(BIN)/python scripts/build_release.py
	@$(BIN)/python scripts/build_splits.py

serve: $(VENV)/installed ## Label Studio on loopback
	@$(BIN)/python scripts/serve_label_studio.py

projects: $(VENV)/installed ## projects, accounts and stored work in a running Label Studio
	@$(BIN)/python scripts/create_projects.py $(WIRE)

export: $(VENV)/installed ## every annotator's work from a running Label Studio into .khabar/exports
	@$(BIN)/python scripts/export_annotations.py $(WIRE) --output .khabar/exports --replace

rehearsal: $(VENV)/installed ## run a small campaign from nothing to gold and put what the terminal showed into the manual
	@$(BIN)/python scripts/serve_label_studio.py --data .khabar/rehearsal/server
	@$(BIN)/python scripts/rehearse_campaign.py --data .khabar/rehearsal/server --place .khabar/rehearsal; code=$$?; \
		$(BIN)/python scripts/serve_label_studio.py --data .khabar/rehearsal/server --stop; rm -rf .khabar/rehearsal; exit $$code

screenshots: $(VENV)/installed ## drive the labelling page and put its screenshots into the manual
	@KHABAR_SCREENSHOTS=annotations/manual $(BIN)/python -m pytest -q tests/test_labelling_page.py

bench: $(VENV)/installed ## compare scorers and write evaluation/benchmarks/README.md (TEXTEE=scorer.py of a checkout)
	@$(BIN)/python evaluation/benchmarks/run.py $(if $(TEXTEE),--textee $(TEXTEE))

wheel: $(VENV)/installed ## build the wheel into dist/
	@$(BIN)/python -m build --wheel

clean: ## remove what was made, but not .venv and no data folder of a Label Studio
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@for path in .khabar/*; do \
		if [ -n "$$(find "$$path" -name khabar.json 2>/dev/null | head -n 1)" ]; \
		then echo "kept: $$path, a Label Studio with its passwords (rm -r $$path)"; else rm -rf "$$path"; fi; done
	@rmdir .khabar 2>/dev/null || true
