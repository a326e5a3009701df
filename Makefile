# `make app` and `make test`: each sets itself up, and repeats nothing when nothing changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One thread a process: two that spin beside one busy neighbour are many times slower than one.
export OMP_NUM_THREADS := 1
export MKL_NUM_THREADS := 1
export TOKENIZERS_PARALLELISM := false
# Where it is set, each of the forty processes that tests start would compile the tree anew.
unexport PYTHONDONTWRITEBYTECODE
# Two processes: one drives the browser while the other goes through everything else.
PARALLEL := -n 2 --dist loadscope --no-loadscope-reorder
# `make app WHEELS=FOLDER` asks no index; `make wheels WHEELS=FOLDER` fills the folder where there is one.
WHEELS ?=
PIP := $(BIN)/python -m pip
OPTIONS := --quiet --disable-pip-version-check
SOURCE := $(if $(WHEELS),--no-index --find-links $(WHEELS))
# Hashes and all that is needed stand in the lock files, so nothing is left for pip to find out.
LOCKED := --require-hashes --no-deps
# Each kind of machine has its own build of torch, and so its own hash. What torch needs is locked.
TORCH := $(shell grep -o '^torch==[^ ]*' requirements.txt)
UV := uv==0.13.9  # finds out one set of releases for all systems and writes the hashes of all files
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header --no-emit-package torch

.PHONY: app test check gpu soak lock wheels

app: $(VENV)/runtime.stamp
	$(BIN)/streamlit run app/server.py

test: $(VENV)/extra.stamp
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest $(PARALLEL)

check: $(VENV)/extra.stamp
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements.lock | $(BIN)/python
	$(PIP) install $(OPTIONS) $(SOURCE) $(LOCKED) -r requirements.lock
	$(PIP) install $(OPTIONS) $(SOURCE) $(TORCH)
	touch $@

$(VENV)/extra.stamp: requirements-extra.lock $(VENV)/runtime.stamp
	$(PIP) install $(OPTIONS) $(SOURCE) $(LOCKED) -r requirements-extra.lock
	touch $@

# Run after a change of a requirements file; `--upgrade` in LOCK would take newer indirect ones.
lock: | $(BIN)/python
	$(PYTHON) -m venv $(VENV)/lock && $(VENV)/lock/bin/pip install $(OPTIONS) $(UV)
	$(VENV)/lock/bin/$(LOCK) requirements.txt -o requirements.lock
	$(VENV)/lock/bin/$(LOCK) -c requirements.lock requirements.txt requirements-extra.txt \
		-o requirements-extra.lock

# The last three are what releases without a wheel are built with.
wheels: | $(BIN)/python
	$(PIP) download $(OPTIONS) $(LOCKED) -r requirements.lock -d $(WHEELS)
	$(PIP) download $(OPTIONS) $(TORCH) pip setuptools wheel -d $(WHEELS)

# On a machine with a card and a torch that knows it; GPU_OUT gets gpu.json after each part.
GPU_OUT ?= workspace/gpu
gpu:
	$(PYTHON) -m peftcore bench gpu --out $(GPU_OUT)

# Kills, full disks and crowds, twenty of each; bench soak --part takes some of them.
soak: $(VENV)/extra.stamp
	$(BIN)/python -m peftcore bench soak
