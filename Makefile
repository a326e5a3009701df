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

.PHONY: app test check gpu soak

app: $(VENV)/runtime.stamp
	$(BIN)/streamlit run app/server.py

test: $(VENV)/extra.stamp
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest $(PARALLEL)

check: $(VENV)/extra.stamp
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime.stamp: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

# One command with torch's pin in it: left to themselves the extras would fetch another torch.
$(VENV)/extra.stamp: requirements-extra.txt $(VENV)/runtime.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-extra.txt
	touch $@

# On a machine with a card and a torch that knows it; GPU_OUT gets gpu.json after each part.
GPU_OUT ?= workspace/gpu
gpu:
	$(PYTHON) -m peftcore bench gpu --out $(GPU_OUT)

# Kills, full disks and crowds: under twenty minutes on two cores.
soak: $(VENV)/extra.stamp
	$(BIN)/python -m peftcore bench soak
