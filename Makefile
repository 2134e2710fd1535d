# make test   lint and test suite         make demo   tiny models trained, evaluated and compared, offline
# The first call sets up .venv; PYTHON names the interpreter (3.11 or newer), TORCH the build of torch that fits the machine.
PYTHON ?= python3
TORCH ?= torch==2.13.0
EXTRAS ?= hf,learned,build,train,leaderboard,dev

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: test lint demo venv

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(READY)
	$(BIN)/ruff check .

# A base without strategies, an adapter that teaches them, both evaluated, baselines beside them, one table and a page.
# The adapter's steps are so small that a second thread gains little, and loses much on a busy machine.
demo: export HF_HUB_OFFLINE := 1
demo: export CSC_CORPUS := demo
demo: export CSC_QA_CORPUS := demo
demo: export CSC_PROMPT := chat
demo: $(READY)
	$(BIN)/csc train tiny --without-strategies --minutes 1.7 --out demo/base
	OMP_NUM_THREADS=1 $(BIN)/csc train --config trainers/recipes/demo.yaml --model demo/base --out demo/adapter
	$(BIN)/lm_eval --model_args pretrained=demo/base $(EVALUATE)
	$(BIN)/lm_eval --model_args pretrained=demo/base,peft=demo/adapter $(EVALUATE)
	$(BIN)/csc baselines demo --out demo/results
	$(BIN)/csc collect demo/results --out demo/board

EVALUATE := --model hf --tasks 'csc_*' --apply_chat_template --gen_kwargs max_gen_toks=96 --output_path demo/results --log_samples \
	--device cpu --batch_size 64

venv: $(READY)

# torch goes first: the extras then find it there, and the choice of its build stays with TORCH.
$(READY): setup.cfg pyproject.toml csc_tasks/autoload/backend.py csc_tasks/autoload/start.py
	@$(PYTHON) -c 'import sys; sys.exit("csc-tasks needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip setuptools wheel
	$(BIN)/python -m pip install "$(TORCH)"
	$(BIN)/python -m pip install --no-build-isolation --editable ".[$(EXTRAS)]"
	touch $@
