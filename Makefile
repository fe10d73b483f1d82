# `make demo` and `make test` do all the set-up; a second call installs nothing.

VENV ?= .venv
PYTHON ?= python3
CONFIG ?= configs/dlora.yaml

BIN := $(VENV)/bin
LATEST := $(VENV)-conformance
PIP := python -m pip install --disable-pip-version-check
INSTALL := $(BIN)/$(PIP) -c constraints.txt
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test conformance docs lint benchmark reproduce clean

demo: $(VENV)/.installed-scripts
	$(BIN)/python scripts/train.py --config $(CONFIG) --resume

test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile

# Environments, views and Stable-Baselines3 (2.9 allows Gymnasium below 2.0) with the newest versions that were
# tried, in a virtual environment that nothing else installs into.
conformance: $(LATEST)/.installed
	$(LATEST)/bin/python -m pip check
	$(LATEST)/bin/python -m pytest -n auto --dist loadfile tests/envs tests/views tests/adapters/test_sb3.py

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

# Recipes of other libraries, each in an environment of its own: make recipe-torchrl, recipe-rllib, ...
NEEDS_torchrl := torchrl==0.14.1
NEEDS_rllib := "ray[rllib,tune]==2.60.0" pillow
NEEDS_video := moviepy==2.2.1
MODULE_rllib := ray.rllib
MODULE_video := moviepy
NEEDS_benchmarl := benchmarl==1.5.2
NEEDS_minari := "minari[create,hdf5]==0.5.4" pillow
NEEDS_skrl := skrl==2.1.1
NEEDS_supersuit := supersuit==3.11.0 stable-baselines3==2.9.2
NEEDS_agilerl := agilerl==2.58.0 peft
NEEDS_tianshou := tianshou==2.0.1

recipe-%:
	$(if $(NEEDS_$*),,$(error recipe-$*: no such recipe; known: $(patsubst NEEDS_%,%,$(filter NEEDS_%,$(.VARIABLES)))))
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install --disable-pip-version-check -c constraints.txt torch==2.13.0
	echo torch==2.13.0 > $(VENV)-$*/torch.txt
	$(VENV)-$*/bin/python -m pip install --disable-pip-version-check -c $(VENV)-$*/torch.txt -e ".[scripts,test]" $(NEEDS_$*)
	$(VENV)-$*/bin/python -c "import $(or $(MODULE_$*),$*)"
	$(VENV)-$*/bin/python -m pytest -m external tests/adapters tests/views tests/scripts/runs/test_parallel.py tests/scripts/test_recipes.py tests/test_readme.py tests/test_docstrings.py
	$(VENV)-$*/bin/python -m pytest tests/scripts/test_benchmark_libraries.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

benchmark: $(VENV)/.installed-scripts
	$(BIN)/python scripts/benchmark.py

reproduce: $(VENV)/.installed-torch
	$(BIN)/python scripts/reproduce.py --all

clean:
	rm -rf build dist docs/_build docs/generated .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find lora_marl agents scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-scripts: $(SOURCES) | $(BIN)/python
	$(INSTALL) -e ".[scripts]"
	touch $@

# What studies of attention critics and of coexisting networks need besides.
$(VENV)/.installed-torch: $(VENV)/.installed-scripts
	$(INSTALL) torch==2.13.0
	touch $@

$(LATEST)/.installed: $(SOURCES) constraints-latest.txt
	$(PYTHON) -m venv $(LATEST)
	$(LATEST)/bin/$(PIP) -c constraints.txt torch==2.13.0
	$(LATEST)/bin/$(PIP) -c constraints.txt -e ".[scripts,test,sb3]"
	$(LATEST)/bin/$(PIP) -r constraints-latest.txt
	touch $@

$(VENV)/.installed-docs: $(SOURCES) | $(BIN)/python
	$(INSTALL) -e ".[docs]"
	touch $@

# torch first and alone: what comes after must not choose its version.
$(VENV)/.installed-dev: $(SOURCES) | $(BIN)/python
	$(INSTALL) torch==2.13.0
	$(INSTALL) -e ".[dev,sb3]"
	touch $@
