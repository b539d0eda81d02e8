# Each command makes the environment (.venv) first if it is missing, or older than what defines it.
#   make run CHAPTER=01          make PYTHON=/path/to/python3.11 test
PYTHON ?=
CHAPTER ?=
ENV := .venv
BIN := $(ENV)/bin
STAMP := $(ENV)/.installed

# What is set for another project's Python would be picked up by ours.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

# The stamp holds the folder that the environment was made in. One that was moved, or whose Python is gone,
# can't be used: without its stamp it is made anew.
$(shell [ -x $(BIN)/python ] && [ "$$(cat $(STAMP) 2>/dev/null)" = "$$(pwd -P)/$(ENV)" ] || rm -f $(STAMP))

.PHONY: help run test test-full lab notebooks bench check doctor constraints clean distclean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

run: $(STAMP) ## execute every chapter's solution at mini scale; CHAPTER=01 for one
	@$(BIN)/sae-course run $(CHAPTER)

test: $(STAMP) lint ## the whole test suite
	@$(BIN)/python -m pytest tests solutions --nbmake --nbmake-timeout=600 -n 2 --dist worksteal $(ARGS)

test-full: $(STAMP) ## the chapters at full scale against a hub on this machine, and sweeps; 10 minutes, 16 GB
	@$(BIN)/python -m pytest tests -m full $(ARGS)

lab: $(STAMP) ## open JupyterLab on the chapters
	@$(BIN)/jupyter lab --notebook-dir=chapters $(ARGS)

notebooks: $(STAMP) ## rebuild the notebooks from solutions/*.py
	@$(BIN)/sae-course build $(CHAPTER)

bench: $(STAMP) ## the benchmark table
	@$(BIN)/sae-course bench

check: $(STAMP) lint ## style, types, and whether the notebooks match their sources; seconds
	@$(BIN)/sae-course build --check

doctor: $(STAMP) ## one line for each thing that matters here, and what to do about it
	@$(BIN)/sae-course doctor

constraints: $(STAMP) ## write constraints.txt from what .venv holds
	@$(BIN)/python utils/install.py --freeze

clean: ## remove what was built; the environment and your progress stay
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find utils tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## the same, and the environment
	@rm -rf $(ENV)

.PHONY: lint
lint: $(STAMP)
	@$(BIN)/ruff check --quiet utils tests solutions
	@$(BIN)/ruff format --check --quiet utils tests
	@$(BIN)/mypy

# A name on the PATH is no promise (pyenv's shims exist and fail), so each candidate is run to see.
$(STAMP): pyproject.toml constraints.txt utils/install.py
	@for python in $(if $(PYTHON),'$(PYTHON)',python3 python3.11 python3.12 python3.13 python); do \
	    if "$$python" utils/install.py --check-python >/dev/null 2>&1; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "No Python that fits was found$(if $(PYTHON), ($(PYTHON) doesn't)). Install Python 3.11 (3.12 and 3.13 should work as well)," >&2; \
	    echo "or name one: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; \
	fi; \
	"$$found" utils/install.py --dev --venv $(ENV)
