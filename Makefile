# Every target sets up what it needs: a virtual environment in .venv, made once and renewed when the requirements change.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO ?= demo
LOOP ?= loop
NIGHTLY ?= nightly
DRILL ?= drill

.PHONY: demo loop nightly test test-pgstac drill planted lint bench clean

demo: $(VENV)/.base  ## simulate a region, build a data set from it with all four sources, and say where it is
	$(BIN)/rsprep simulate $(DEMO)/source
	$(BIN)/rsprep build-multisource --config pipelines/demo.yaml --aoi $(DEMO)/source/region.geojson \
	  --endpoint $(DEMO)/source/catalog.json --out $(DEMO)/chips --catalog $(DEMO)/catalog

loop: $(VENV)/.models  ## the whole loop on a small planted region: chips, generator, synthetic chips, True against Mix
	$(BIN)/rsprep simulate $(LOOP)/source --aoi 12.70,48.20,12.92,48.35
	$(BIN)/rsprep build-multisource --config pipelines/loop-chips.yaml --aoi $(LOOP)/source/region.geojson \
	  --endpoint $(LOOP)/source/catalog.json --out $(LOOP)/chips --catalog $(LOOP)/catalog
	$(BIN)/rsmodels train --config pipelines/loop-generator.yaml --data $(LOOP)/chips --out $(LOOP)/generator
	$(BIN)/rsmodels evaluate $(LOOP)/generator --data $(LOOP)/chips
	$(BIN)/rsmodels synth-augment --n 1x --data $(LOOP)/chips --checkpoint $(LOOP)/generator \
	  --out $(LOOP)/synthetic --catalog $(LOOP)/catalog
	$(BIN)/rsprep verify $(LOOP)/synthetic
	$(BIN)/rsmodels downstream --config pipelines/loop-downstream.yaml --real $(LOOP)/chips \
	  --synthetic $(LOOP)/synthetic --out $(LOOP)/downstream
	@echo "generator  $(LOOP)/generator/report.html"
	@echo "synthetic  $(LOOP)/synthetic/report.html"
	@echo "catalog    $(LOOP)/catalog/catalog.json"

nightly: $(VENV)/.models  ## seven generators on a small planted region: a table with figures, costs, gains and pictures
	$(BIN)/rsprep simulate $(NIGHTLY)/source --aoi 12.70,48.20,12.92,48.35
	$(BIN)/rsprep build-multisource --config pipelines/csebgan-nightly-chips.yaml --aoi $(NIGHTLY)/source/region.geojson \
	  --endpoint $(NIGHTLY)/source/catalog.json --out $(NIGHTLY)/chips --catalog $(NIGHTLY)/catalog
	$(BIN)/rsmodels reproduce pipelines/csebgan-nightly.yaml --data $(NIGHTLY)/chips --out $(NIGHTLY)/table

test: lint  ## lint, type-check and test
	$(BIN)/pytest -n auto

test-pgstac: $(VENV)/.dev $(VENV)-pgstac/.done  ## search and build against pgstac; needs postgresql and postgresql-NN-postgis-3
	RSPREP_PGSTAC=$(VENV)-pgstac/bin $(BIN)/pytest -rs tests/rsprep/sources/test_pgstac.py

drill: $(VENV)/.dev  ## faults of servers and disks, and SIGKILL, at every stage of a small build; needs a C compiler
	$(BIN)/python -m tests.drill --out $(DRILL)
	$(BIN)/python -m tests.drill.peers --out $(DRILL)
	$(BIN)/python benchmarks/kill_drill.py

planted: $(VENV)/.dev  ## take every treatment of a known pitfall out, and see that a test finds it; writes docs/reliability.md
	$(BIN)/python -m tests.planted.run

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.dev  ## measure against the named peers; figures go to docs/performance.md by hand
	$(BIN)/python benchmarks/read_warp.py
	$(BIN)/python benchmarks/remote.py
	$(BIN)/python benchmarks/terrain.py
	$(BIN)/python benchmarks/maskmix.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/loader.py
	$(BIN)/python benchmarks/gan_step.py
	$(BIN)/python benchmarks/modulation.py
	$(BIN)/python benchmarks/semantic.py

clean:
	rm -rf $(VENV) $(VENV)-pgstac $(DEMO) $(LOOP) $(NIGHTLY) $(DRILL) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	@touch $@

$(VENV)/.models: $(VENV)/.base
	$(PIP) -e '.[models]'
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) -e '.[dev,models]'
	@touch $@

# The server's packages want other versions of some of ours, so they have an environment of their own.
$(VENV)-pgstac/.done:
	$(PYTHON) -m venv $(VENV)-pgstac
	$(VENV)-pgstac/bin/python -m pip install --quiet --disable-pip-version-check \
	  stac-fastapi.pgstac==7.2.0 'pypgstac[psycopg]==0.10.0' uvicorn==0.54.0
	@touch $@
