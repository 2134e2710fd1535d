"""OUT/sweep.json: what a sweep trained and scored, one point a value and seed.

    {"format": "csc-tasks sweep, version 1",
     "key": "train_size",          the recipe key that was swept: train_size, lora_r, data, ...
     "limit": null,                --limit of the scoring: conversations asked about; null: all
     "points": [
       {"value": "3000",           as it was given: a number, `all`, a folder
        "base": false,             true: the base itself, nothing trained (train_size=0)
        "seed": 0,                 of the training; null for the base
        "size": 3000,              conversations that were learned; 0 for the base
        "rows": 3120,              training rows that were made of them
        "steps": 585,              optimizer steps
        "folder": "3000",          the adapter, below OUT; null for the base
        "results": "3000-results", what lm_eval wrote, below OUT; null: not scored (yet)
        "file": "3000-results/.../results_2026-11-29T02-00-00.0.json",
                                   the results file of this point, below OUT; null: not scored
        "model": "3000",           the name of its row on a board that collects `results`;
                                   null: not scored
        "scores": {"csc_conv_ref": {"strategy_acc": 0.6, "strategy_acc_stderr": 0.02, ...}},
        "identity": "...",         what was trained: recipe, base, data
        "validation_loss": 2.5, "train_loss": 2.1,      null: not measured; nats a learned token
        "trained_parameters": 1722368, "seconds": 165.0,
        "counts": {"rows": 3120, "tokens": 1510000, ...}}]}

Points stand in the order of the values as given, and of the seeds within a value. The base is one
point, whatever the number of seeds: its replies are greedy. The conversations of a size are part of
those of every larger size with the same seed. The file is written again after every training and
every scoring, with the points that have been trained so far, so that a sweep that was killed goes
on by the same command. Paths are relative to the file's folder, with `/`.

`csc collect OUT/*-results` makes a board of all points; a point is its row by `model`. Several
seeds of a value are rows of their own there (`3000-seed0`, `3000-seed1`).
"""
