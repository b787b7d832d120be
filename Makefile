# `make help` lists the targets. The first use makes .venv and installs the exact versions of constraints.txt.
# To use an environment that has everything already (conda, say): make book BIN="$CONDA_PREFIX/bin"
PROFILE ?= book
PYTHON ?= python3
BIN ?= .venv/bin
CHROMIUM ?= $(firstword $(shell command -v chromium chromium-browser google-chrome))
# Notebooks that are executed at a time, each with one thread.
JOBS ?= 2
MAKEFLAGS += --jobs=$(JOBS)

PROFILES := book smoke laptop constant paper full
TOPICS := $(basename $(notdir $(wildcard notebooks/*.py)))
EXECUTED := $(TOPICS:%=book/executed/%.ipynb)
PACKAGE := $(shell find tailnoise_utils -name '*.py')
# In smoke the notebooks compute their results themselves; in book each has its own default.
RESULTS := $(filter-out notebooks/results/smoke/%,$(wildcard notebooks/results/$(if $(filter book,$(PROFILE)),*,$(PROFILE))/*))
PARAMETERS := $(if $(filter-out book,$(PROFILE)),profile="$(PROFILE)")
INSTALLED := $(if $(filter .venv/bin,$(BIN)),.venv/installed)
INDEX := book/_build/html/index.html

ifeq ($(filter $(PROFILE),$(PROFILES)),)
$(error unknown PROFILE '$(PROFILE)'; choose one of: $(PROFILES))
endif

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.PHONY: help install book pdf check test lint reproduce notebooks lab clean force

help:  ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 12
	@echo "PROFILE is one of: $(PROFILES); now $(PROFILE)."

book: $(INDEX)  ## execute the notebooks on the stored results, build the book, print where it is
	@echo "The book ($(PROFILE)): $(CURDIR)/$(INDEX)"

pdf: $(INDEX)  ## print the whole book into book/_build/book.pdf, with Chromium
	$(BIN)/jupyter-book build book --builder singlehtml --quiet -W -n --keep-going
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --disable-background-networking --virtual-time-budget=60000 \
	  --no-pdf-header-footer --print-to-pdf=book/_build/book.pdf file://$(CURDIR)/book/_build/singlehtml/index.html

check: lint  ## lint, the house's floors, and the tests that take no time
	$(BIN)/python -m pytest -m "not slow"

test: lint  ## lint, and all tests: the package, every notebook in smoke, the book
	$(BIN)/python -m pytest

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

reproduce: install  ## compute all results of PROFILE (laptop unless named) from scratch, then build the book from them
	$(BIN)/python -m tailnoise_utils run all --fresh --profile $(if $(filter book,$(PROFILE)),laptop,$(PROFILE))
	$(MAKE) book

notebooks: install  ## write every notebook's .ipynb anew from its .py
	$(BIN)/jupytext --to ipynb --update notebooks/*.py

lab: install  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab --notebook-dir notebooks

clean:  ## remove the book, the executed notebooks and the results of smoke; .venv stays
	rm -rf book/_build book/executed notebooks/results/smoke

install: $(INSTALLED)  ## only make .venv

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1 || true). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "Installing into .venv: some two minutes, more where torch brings CUDA."
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[all]'
	touch $@

# Changes only with the profile, so that a book of another profile is made anew.
book/executed/profile: force
	@mkdir -p $(@D)
	@echo $(PROFILE) | cmp --silent - $@ || echo $(PROFILE) > $@

# What jupytext and papermill do as commands, in one process: each start takes most of a second.
book/executed/%.ipynb: notebooks/%.py $(PACKAGE) $(RESULTS) book/executed/profile $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -c 'import jupytext, papermill; part = "$@.part.ipynb"; \
	  jupytext.write(jupytext.read("$<"), part); \
	  papermill.execute_notebook(part, part, dict($(PARAMETERS)), kernel_name="python3", cwd="notebooks", progress_bar=False)'
	mv $@.part.ipynb $@

# Always from scratch: Sphinx does not repeat the warnings of pages that it has read before.
$(INDEX): $(EXECUTED) $(shell find book -path book/_build -prune -o -path book/executed -prune -o -type f -print)
	rm -rf book/_build
	$(BIN)/jupyter-book build book --quiet -W -n --keep-going
