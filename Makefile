# Everything a machine without Nix needs: make up, make test, make lint, make bench.

VENV   ?= .venv
EXTRAS ?= all
ARGS   ?=
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN     = $(VENV)/bin
# Python 3.11 alone: ray, torch and poetry2nix are locked for it.
CHECK   = $(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "JimBot needs Python 3.11; set PYTHON=/path/to/python3.11")'
PIP     = $(BIN)/python -m pip --disable-pip-version-check install --quiet -c $(VENV)/constraints.txt

.PHONY: up test lint bench compile soak metrics audit sbom nix-check nix-vm clean

up: $(VENV)/.runtime
	@exec $(BIN)/python -m jimbot up $(ARGS)

# Tests of a file stay with one worker, which share what is costly to set up, until one runs dry.
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/metrics_catalogue.py --check

# docs/metrics.md, out of the code.
metrics: $(VENV)/.dev
	$(BIN)/python scripts/metrics_catalogue.py

# Known flaws of what poetry.lock pins; exits 2 where nobody could be asked.
audit: $(VENV)/.dev
	$(BIN)/python scripts/audit.py

sbom: $(VENV)/.dev
	$(BIN)/python scripts/sbom.py > sbom.json

# The flake and the module, as far as this machine can: docs/nix.md.
nix-check: $(VENV)/.dev
	$(BIN)/python -m tests.nix.check $(ARGS)

nix-vm: $(VENV)/.dev
	$(BIN)/python -m tests.nix.vm $(ARGS)

bench: compile
	$(BIN)/python -m benchmarks $(ARGS)

# The game as C, anew: after its source has changed.
compile: $(VENV)/.dev
	$(BIN)/python -m jimbot.game._build --if-possible

soak: compile
	$(BIN)/python -m tests.game.soak --games 100000
	$(BIN)/python -m pytest -m soak --timeout 7200 $(ARGS)

ifdef JIMBOT_ENV
# `nix develop` has all packages already, and says where: wheels as they are do not load on NixOS.
BIN = $(JIMBOT_ENV)/bin
export PYTHONPATH := $(CURDIR)
.PHONY: $(VENV)/.runtime $(VENV)/.dev
$(VENV)/.runtime $(VENV)/.dev:
	@$(BIN)/python -m jimbot.game._build --if-possible
else
$(VENV)/.runtime: pyproject.toml poetry.lock scripts/lock.py
	@$(CHECK)
	@echo "make: the environment in $(VENV) (about 2 GB, a minute or two)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PYTHON) scripts/lock.py constraints > $(VENV)/constraints.txt
	@$(PIP) mypy setuptools >&2
	@# The game is compiled while the large packages come; it runs without that too, much slower.
	@$(BIN)/python -m jimbot.game._build --if-possible >&2 & \
		$(PIP) -e '.[$(EXTRAS)]' >&2; status=$$?; wait; exit $$status
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "make: the development tools" >&2
	@$(PIP) $$($(PYTHON) scripts/lock.py dev) >&2
	@touch $@
endif

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
