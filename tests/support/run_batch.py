"""A stand-in for `vllm run-batch`, as a program:

    python -m tests.support.run_batch -i INPUT -o OUTPUT --model MODEL [--notes FOLDER]

Says back the last message of each line; "bad" is rejected in vLLM's form. In FOLDER it counts its
runs (one line each in `runs`), waits while there is a file `hold`, and fails where there is a file
`fail`. The output appears at the end, all at once.
"""

import argparse
import json
import time
from pathlib import Path

from tests.support.llm_server import echo


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", required=True, type=Path)
    parser.add_argument("-o", required=True, type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--notes", required=True, type=Path)
    args = parser.parse_args()
    with (args.notes / "runs").open("a") as file:
        file.write(f"{args.model}\n")
    while (args.notes / "hold").exists():
        time.sleep(0.02)
    if (args.notes / "fail").exists():
        raise SystemExit("out of memory")
    lines = []
    for text in args.i.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        kept = {"id": f"vllm-{line['custom_id']}", "custom_id": line["custom_id"]}
        if line["body"]["messages"][-1]["content"] == "bad":
            error = {"message": "too bad", "type": "BadRequestError", "param": None, "code": 400}
            kept["response"] = {"status_code": 400, "request_id": "r", "body": None}
            kept["error"] = {"error": error}
        else:
            body = json.loads(echo(line["body"]).text(line["body"]))
            kept["response"] = {"status_code": 200, "request_id": "r", "body": body}
            kept["error"] = None
        lines.append(json.dumps(kept) + "\n")
    args.o.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
