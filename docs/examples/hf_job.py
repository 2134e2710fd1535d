# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "csc-tasks[hf] @ git+https://github.com/ORG/csc-tasks@main",
# ]
# ///
"""Evaluate a model as a Hugging Face Job and keep the results in a dataset of one's own.

    hf jobs uv run --flavor a10g-small --secrets HF_TOKEN hf_job.py MODEL ORG/results

Name the repository (or the URL of a wheel) that the package is installed from in the lines above:
it is on no index. Beside the model and the dataset, every word is one of `lm_eval run`.
"""

import subprocess
import sys


def main() -> None:
    """Run the benchmark on the model and upload what it wrote, as a private dataset."""
    if len(sys.argv) < 3:
        sys.exit("usage: hf_job.py MODEL ORG/RESULTS [WORDS OF lm_eval run ...]")
    model, dataset, *more = sys.argv[1:]
    evaluate = ["csc", "evaluate", "--config", "hf", "--output_path", "results"]
    subprocess.run([*evaluate, "--model_args", f"pretrained={model},dtype=auto", *more], check=True)

    from huggingface_hub import HfApi

    api = HfApi()
    api.create_repo(dataset, repo_type="dataset", private=True, exist_ok=True)
    api.upload_folder(repo_id=dataset, repo_type="dataset", folder_path="results")


if __name__ == "__main__":
    main()
