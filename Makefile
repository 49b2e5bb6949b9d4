# make setup | demo | test | lint | docs.   Needs Python 3.11 or newer with venv, and pip; nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
DONE := .venv/.installed
# Two workers with one thread each: as fast as the cores allow, and the same last digits on every machine of a kind.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q --jaxtyping-packages=weakspot,beartype.beartype

.PHONY: setup demo test check lint docs

setup: $(DONE)

$(DONE): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	# A test oracle whose own requirements are years old: taken without them.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps torchattacks==3.5.1
	touch $(DONE)

demo: setup
	$(BIN)/weakspot audit --preset quick

test: check

check: lint
	$(PYTEST) -n 2 --dist worksteal

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup
	$(PYTEST) tests/project/test_docs.py
