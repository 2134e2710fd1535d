"""Dataset folder -> model: what is trained here is trained on the prompts the benchmark sends."""
