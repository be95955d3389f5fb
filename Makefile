# Two commands do everything on a fresh machine: `make demo` runs Lacuna, `make test` passes its tests.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Holds the environment to pyproject.toml: changing it installs anew.
RUN    := $(VENV)/.run-installed
DEV    := $(VENV)/.dev-installed

.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(RUN)  ## fill gaps in two source files of this repository with the shipped model
	@sh examples/demo.sh $(BIN)/lacuna

test: $(DEV)  ## every test: unit, real subprocesses, real model, real editors
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: $(DEV)  ## lint, format, types, import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)  ## mend what the linter and the formatter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(RUN): pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[cpu]'
	@touch $@

$(DEV): pyproject.toml | $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[cpu,export,dev]'
	@touch $@ $(RUN)

clean:  ## remove the environment and everything downloaded or generated
	rm -rf $(VENV) .cache build dist *.egg-info test-artefacts

.PHONY: help demo test check format clean
