# Every target sets up what it needs: a virtual environment in .venv, made once and renewed when the requirements change.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO ?= demo

.PHONY: demo test lint bench clean

demo: $(VENV)/.base  ## simulate a region, build a data set from it with all four sources, and say where it is
	$(BIN)/rsprep simulate $(DEMO)/source
	$(BIN)/rsprep build-multisource --config pipelines/demo.yaml --aoi $(DEMO)/source/region.geojson \
	  --endpoint $(DEMO)/source/catalog.json --out $(DEMO)/chips --catalog $(DEMO)/catalog

test: lint  ## lint, type-check and test
	$(BIN)/pytest -n auto

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## measure against the named peers; figures go to docs/performance.md by hand
	$(BIN)/python benchmarks/read_warp.py
	$(BIN)/python benchmarks/terrain.py
	$(BIN)/python benchmarks/maskmix.py
	$(BIN)/python benchmarks/memory.py

clean:
	rm -rf $(VENV) $(DEMO) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) -e '.[dev,models]'
	@touch $@
