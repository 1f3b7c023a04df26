# Every target says after ## what it does; `make` alone prints them.
.DEFAULT_GOAL := help
.PHONY: help run test fuzz lint format lock bench bench-reads bench-web bundle preflight rehearse rehearse-packages clean clean-data ready ready-for-preflight ready-for-tests
SHELL := /bin/sh

PYTHON ?= python3
BIN := .venv/bin
UV := .local/tools/bin/uv
COMPILE := $(UV) pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-annotate -q

# What plays the parts of a region: namespaces, the network, the load balancer, the proxy and a database with TLS.
REHEARSAL := bubblewrap util-linux iproute2 haproxy nginx-light postgresql curl openssl

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ready ## start everything on http://127.0.0.1:8000 (PORT=9000 for another port); Ctrl-C stops it
	@exec $(BIN)/python -m ebtools local

test: lint ## check the code and run all tests
	$(BIN)/python -m pytest

fuzz: ready-for-tests ## send ten thousand made-up requests in sequences, as two people, and as many one by one; nightly
	FUZZ_CASES=10000 FUZZ_EXAMPLES=150 $(BIN)/python -m pytest tests/fuzz

lint: ready-for-tests ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: ready-for-tests ## put the code into its style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(UV) ## resolve pyproject.toml into the requirements files, with hashes
	$(COMPILE) pyproject.toml -o requirements.txt
	$(COMPILE) --group local -c requirements.txt -o requirements-local.txt
	$(COMPILE) --group preflight -c requirements.txt -o requirements-preflight.txt
	$(COMPILE) --group ebcli -o requirements-ebcli.txt
	$(COMPILE) --group test -c requirements.txt -c requirements-preflight.txt -o requirements-test.txt

bench: ready-for-tests ## measure the API, and write bench/results
	$(BIN)/python -m bench

bench-reads: ready-for-tests ## measure boards, filters, search and sync up to a million items; a quarter of an hour
	$(BIN)/python -m bench.reads

bench-web: ready-for-tests ## measure memory, overload, a killed worker and a soak; half an hour
	$(BIN)/python -m bench.web

bundle: ready ## write the package that `eb deploy` sends
	$(BIN)/python -m ebtools bundle

preflight: bundle ready-for-preflight ## check that package before AWS sees it
	$(BIN)/python -m ebtools preflight

rehearse: ready-for-tests ## deploy, scale and break the package on this machine, under load; needs root, a quarter of an hour
	$(BIN)/python -m ebtools rehearse

rehearse-packages: ## install the system's packages that a rehearsal needs (Debian, Ubuntu; needs root)
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends $(REHEARSAL)

clean: ## delete the environment, caches and built files; data stay
	rm -rf .venv .local/tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -not -path './.venv/*' -exec rm -rf {} +

clean-data: ready ## delete the local database, files and mails
	@$(BIN)/python -m ebtools local --delete-data

ready:
	@command -v $(PYTHON) >/dev/null || { echo 'Fastier needs Python 3.11 or newer: apt-get install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) ebtools/bootstrap.py run

ready-for-preflight:
	@$(PYTHON) ebtools/bootstrap.py preflight

ready-for-tests:
	@command -v $(PYTHON) >/dev/null || { echo 'Fastier needs Python 3.11 or newer: apt-get install python3 python3-venv' >&2; exit 1; }
	@$(PYTHON) ebtools/bootstrap.py test

$(UV):
	$(PYTHON) -m venv .local/tools
	.local/tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
