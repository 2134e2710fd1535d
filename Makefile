# make test   lint and test suite         make demo   a tiny model trained, evaluated and compared, offline
# The first call sets up .venv; PYTHON names the interpreter (3.11 or newer), TORCH the build of torch that fits the machine.
PYTHON ?= python3
TORCH ?= torch==2.13.0
EXTRAS ?= hf,learned,build,leaderboard,dev

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: test lint demo venv

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .

demo: export HF_HUB_OFFLINE := 1
demo: $(READY)
	$(BIN)/csc train tiny --out demo/model
	$(BIN)/lm_eval --model hf --model_args pretrained=demo/model --tasks 'csc_*' --apply_chat_template \
		--metadata '{"csc_corpus": "demo", "csc_qa_corpus": "demo", "csc_prompt": "chat"}' \
		--gen_kwargs max_gen_toks=96 --output_path demo/results --log_samples --device cpu --batch_size 64
	$(BIN)/csc baselines demo

venv: $(READY)

# torch goes first: the extras then find it there, and the choice of its build stays with TORCH.
$(READY): setup.cfg pyproject.toml csc_tasks/autoload/backend.py
	@$(PYTHON) -c 'import sys; sys.exit("csc-tasks needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip setuptools wheel
	$(BIN)/python -m pip install "$(TORCH)"
	$(BIN)/python -m pip install --no-build-isolation --editable ".[$(EXTRAS)]"
	touch $@
