# Everything a first-time user or a contributor runs. Needs make, a POSIX shell and Python 3.11 or newer with venv; nothing else.
# `make help` lists the targets.

PYTHON ?= python3
VENV ?= .venv
# Processes that pytest may use, and more options for it: make test PYTEST_ARGS='-k ewf'
TEST_JOBS ?= 2
PYTEST_ARGS ?=
# More options for the mutants: make mutants MUTANTS_ARGS='ext2 --count 20'
MUTANTS_ARGS ?=
# How long make fuzz takes, which inputs it makes, and for which targets (all when none is named)
FUZZ_SECONDS ?= 120
FUZZ_SEED ?= 1
FUZZ_TARGETS ?=
# More options for the demonstration: make demo DEMO_ARGS='--help'
DEMO_ARGS ?=

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALLED = $(VENV)/installed
DEV_INSTALLED = $(VENV)/dev-installed
PYTEST = $(BIN)/python -m pytest -q -n $(TEST_JOBS)

.DELETE_ON_ERROR:
.PHONY: help demo test test-fast test-thorough lint types check bench bench-carve bench-lists bench-caches bench-phones recall mutants images docs wheel-check clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(INSTALLED) ## set up, run the main job on a built-in E01, show the report's path and the top of the queue
	@$(BIN)/triage demo $(DEMO_ARGS)

test: $(DEV_INSTALLED) ## set up and run every test
	@$(PYTEST) $(PYTEST_ARGS)

test-fast: $(DEV_INSTALLED) ## the tests that take seconds and need nothing from outside the checkout
	@$(PYTEST) -m 'not slow and not evidence' $(PYTEST_ARGS)

test-thorough: $(DEV_INSTALLED) ## runs that are killed at twenty moments, and disks that are full at six (make test tries some of them)
	@TRIAGE_THOROUGH=1 $(PYTEST) tests/engine/test_engine_kill.py tests/engine/test_engine_full_disk.py tests/test_built_in_images.py

lint: $(DEV_INSTALLED) ## style and common mistakes (ruff)
	@$(BIN)/ruff check .

types: $(DEV_INSTALLED) ## types (mypy --strict)
	@$(BIN)/mypy

check: lint types test ## lint, types and every test: what a change must pass

fuzz: $(DEV_INSTALLED) ## every parser over mutated inputs for FUZZ_SECONDS; failing inputs stay in build/fuzz
	@$(BIN)/python tests/fuzz/run.py --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED) $(FUZZ_TARGETS)

bench: $(DEV_INSTALLED) ## wall time and memory against fiwalk (needs sleuthkit and ewf-tools)
	@$(BIN)/python bench/run.py

bench-carve: $(DEV_INSTALLED) ## carving against foremost, scalpel and photorec (needs all three), and on media that are traps
	@$(BIN)/python bench/carve.py quality --samples $(wildcard ../shared/evidence/pictures ../shared/evidence/types ../shared/evidence/artifacts)
	@$(BIN)/python bench/carve.py hostile
	@$(BIN)/python bench/carve.py memory

bench-lists: $(DEV_INSTALLED) ## hash lists, likeness and blocks against their peers where these are installed (half an hour, 25 GB of disk)
	@$(BIN)/python bench/hashsets.py
	@$(BIN)/python bench/likeness.py
	@$(BIN)/python bench/pictures.py $(addprefix --samples ,$(wildcard ../shared/evidence/pictures))
	@$(BIN)/python bench/blocks.py

bench-caches: $(DEV_INSTALLED) ## a browser's cache of 1 GiB: seconds a core, every body checked
	@$(BIN)/python bench/caches.py

recall: $(DEV_INSTALLED) ## what real caches, histories and databases hold and what of it is found: recall and precision by source
	@$(BIN)/python -m pytest -q -s -p no:xdist tests/plugins/test_recall.py $(PYTEST_ARGS)

bench-phones: $(DEV_INSTALLED) ## a phone's extraction of 100,000 files as ZIP, also one without its list: seconds and memory until it is listed
	@$(BIN)/python bench/zip_extraction.py

mutants: $(DEV_INSTALLED) ## 3,000 damaged media and 450 damaged E01 sets: nothing crashes, nothing is lost in silence (half an hour)
	@$(BIN)/python bench/mutants.py run --raw $(MUTANTS_ARGS)
	@$(BIN)/python bench/mutants.py e01

images: $(DEV_INSTALLED) ## build the test images and their answer keys again (needs the file systems' mkfs tools)
	@$(BIN)/python tests/images/build.py

docs: $(INSTALLED) ## write docs/cli.md from the commands' own help
	@$(BIN)/python docs/reference.py

wheel-check: ## build the wheel, install it alone into an empty environment, run it from another folder
	@rm -rf build  # with what an earlier build left: setuptools would pack it again
	@$(PYTHON) -m venv build/wheel-check/venv
	@build/wheel-check/venv/bin/python -m pip --quiet --disable-pip-version-check wheel --no-deps -w build/wheel-check .
	@build/wheel-check/venv/bin/python -m pip --quiet --disable-pip-version-check install build/wheel-check/*.whl
	@cd build/wheel-check && venv/bin/triage doctor && venv/bin/triage demo
	@ls -l build/wheel-check/*.whl

clean: ## remove what these targets made
	rm -rf $(VENV) build dist *.egg-info demo-case .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment is made once and brought up to date when pyproject.toml changes. The project is installed as a link to this
# folder, so that a changed source file needs no new installation.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@echo 'making $(VENV) ...'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'python3-venv is needed: apt install python3-venv' >&2; exit 1; }

$(INSTALLED): pyproject.toml | $(BIN)/python
	@echo 'installing triage and what it needs into $(VENV) ...'
	@$(PIP) install --editable '.[pictures]'
	@$(BIN)/python -m compileall -q triage plugins  # workers write nothing, not even what they have compiled
	@touch $@

# The group is read out of pyproject.toml, since the pip of Debian 12 does not know --group.
$(DEV_INSTALLED): $(INSTALLED)
	@echo 'installing the tools for tests into $(VENV) ...'
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' >$(VENV)/dev.txt
	@$(PIP) install -r $(VENV)/dev.txt
	@touch $@
