"""Deployed agents as an lm_eval model, `--model csc-agent`: HTTP endpoints that answer customers.

An agent is told what the customer and it itself have said, and nothing else: no instructions, no
strategies, no generation settings. So its replies name no strategy.
"""

AGENT = "agent"
"""How it was played (csc_tasks/play/way.py)."""
NAME = "csc-agent"
"""What lm_eval calls it."""
