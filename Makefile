# `make demo` and `make test` set up what they need in .venv, on a machine that has Python 3.11 or newer, by pip and as
# its settings say. What lies there then is what the start scripts look for, and the other way round.

PYTHON ?= python3
BIN := .venv/bin
# Not --quiet, since it takes minutes.
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
# What another system lacks is missing from the standard library. The other libraries need not be read for that, which
# takes nine tenths of the time, but for those without whose types there would be errors.
ELSEWHERE := --follow-imports skip --allow-subclassing-any --allow-untyped-decorators --no-warn-return-any \
	--no-warn-unused-ignores

# The lock of the start scripts, after a change of constraints.txt or of what pyproject.toml asks for. What of torch
# depends on the card is left out: each index has its own builds, and so has a folder of wheels on somebody's disk.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --constraint constraints.txt --generate-hashes \
	--no-annotate --no-header

.PHONY: demo test coverage lock lint lint-linux lint-win32 lint-darwin lint-quick docs bench torture fuzz fakecard \
	mutants controls joins rehearsal screens train behaviour clean

demo: .venv/ready
	$(BIN)/eichi demo --out outputs

# What was compiled is kept, also where the machine forbids it: some hundred processes would each compile it anew.
test: lint
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

# Not part of `make test`: it takes half as long again.
coverage: .venv/ready-dev
	mkdir -p build/coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

lock:
	sed -n '/^#/p' install/lock.txt >lock.new
	$(LOCK) pyproject.toml install/also.in | awk '/^[^ ]/ {kept = !/^(torch|triton|nvidia|cuda)/} kept' >>lock.new
	mv lock.new install/lock.txt
	sed -n '/^#/p' install/uv.txt >lock.new
	echo uv | uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header - >>lock.new
	mv lock.new install/uv.txt

# Two at a time: reading every library for the types takes as long as all the others together, so it begins first.
lint: .venv/ready-dev
	$(MAKE) --jobs 2 lint-linux lint-quick lint-win32 lint-darwin

lint-linux:
	$(BIN)/mypy --platform linux

lint-win32 lint-darwin: lint-%:
	$(BIN)/mypy --platform $* --cache-dir .mypy_cache/$* $(ELSEWHERE)

lint-quick:
	$(BIN)/oxlint src/eichi/web/static docs/_theme
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

docs: .venv/ready
	$(BIN)/python -m eichi.reference docs/reference
	$(BIN)/python -m eichi.help catalogue
	$(BIN)/python -m eichi.help all

bench: .venv/ready-dev
	$(BIN)/python -m benchmarks

torture: .venv/ready-dev
	$(BIN)/python -m benchmarks.torture

# torch's CUDA build, which the plain registry has for Linux, and everything else by the lock: 5 GB. "===" takes no other
# build of the version, wherever pip has one.
fakecard: .venv-cuda/ready
	.venv-cuda/bin/python -W ignore -m benchmarks.fakecard

.venv-cuda/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-cuda
	.venv-cuda/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt \
		"$$(sed -n 's/^torch==/torch===/p' constraints.txt)" --editable .
	touch $@

fuzz: .venv/ready-dev
	$(BIN)/python -m benchmarks.fuzz

mutants: .venv/ready-dev
	nice -n 10 $(BIN)/python -m benchmarks.mutants

controls: .venv/ready-dev
	$(BIN)/python -m benchmarks.controls

joins: .venv/ready-dev
	nice -n 10 $(BIN)/python -m benchmarks.joins --write measured/joins.md

rehearsal: .venv/ready-dev
	nice -n 10 $(BIN)/python -m benchmarks.rehearsal --write measured/rehearsal.md

screens: .venv/ready-dev
	$(BIN)/python -m tests.web.shots docs/screens

train: .venv/ready-dev
	nice -n 10 $(BIN)/python -m training all

behaviour: .venv/ready-dev
	$(BIN)/python -m training report --pixels 128

.venv/bin/python:
	@echo "Setting up in .venv: some minutes, 1.2 GB with the torch for the CPU, about 5 GB with that for a card."
	$(PYTHON) -m venv .venv

# spandrel asks for torchvision, which has to be of torch's very build; see src/eichi/models/spandrel.py.
.venv/ready: .venv/bin/python pyproject.toml constraints.txt install/lock.txt
	$(PIP) --editable .
	$(PIP) --no-deps spandrel einops
	cp install/lock.txt $@

.venv/ready-dev: .venv/ready
	$(PIP) --editable ".[dev,train]"
	touch $@

clean:
	rm -rf .venv .venv.lock .venv-cuda build .mypy_cache .ruff_cache .pytest_cache .hypothesis
