#!/usr/bin/env bash
# Everything that wants a GPU, prepared for a machine with one H100 or H200 and no network: random
# models of 1 and 7 billion parameters in bf16, lockstep play against the plain way and, where it is
# installed, vLLM at batch 64 and 256; NF4 QLoRA steps at 7B; the FSDP configuration.
#
#   benchmarks/gpu.sh [--dry-run] [FOLDER]     FOLDER, or $OUT, or gpu-results: where gpu.md goes
#
# At most 480 seconds in all. Every part has a limit of its own; one that fails or runs over is a
# row that says so, and gpu.md is whole after every part. --dry-run: one part of each kind on a CPU,
# with tiny models. WHEELS names a folder of wheels (.whl where there is one) that are installed first,
# beside what the machine has. PYTHON names the interpreter.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

dry=
if [ "${1:-}" = --dry-run ]; then
    dry=1
    shift
fi
out=${1:-${OUT:-gpu-results}}
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
python=${PYTHON:-python3}
limit=480
SECONDS=0
export PYTHONUNBUFFERED=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

wheels=${WHEELS:-.whl}
if [ -z "$dry" ] && compgen -G "$wheels/*.whl" >/dev/null; then
    site=$(mktemp -d)
    trap 'rm -rf "$site"' EXIT
    timeout 60 "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir \
        --target "$site" "$wheels"/*.whl || exit 1
    export PYTHONPATH="$PYTHONPATH:$site"
fi

device=cuda dtype=bfloat16 mid=1B big=7B
few=(--batch 64)
many=(--batch 256 --exchanges 3 5)
train=(--batch 4 --conversations 4)
if [ -n "$dry" ]; then
    device=cpu dtype=float32 mid=2M big=2M
    few=(--batch 2 --exchanges 2 3 --reply 2)
    many=(--batch 3 --exchanges 2 2 --reply 2)
    train=(--batch 1 --conversations 1)
    limit=3600 # a busy CPU is no reason to stop
fi

table=$out/gpu.md
{
    echo "# On a GPU"
    echo
    echo '```'
} >"$table"
timeout "$((limit / 8))" "$python" -m benchmarks.gpu needs --device "$device" 2>"$out/needs.log" |
    tee -a "$table"
status=${PIPESTATUS[0]}
echo '```' >>"$table"
if [ "$status" -ne 0 ]; then
    tail -n 3 "$out/needs.log" >&2
    exit "$status"
fi
{
    echo
    echo '|part|model|weights|batch|rate|seconds|peak memory|notes|'
    echo '|---|---|---|---:|---:|---:|---:|---|'
} >>"$table"

# part NAME SECONDS SUBCOMMAND ARGUMENTS...: rows into the table, what else it says into NAME.log
part() {
    local name=$1 most=$2 left status rows
    shift 2
    left=$((limit - SECONDS))
    if [ "$left" -lt 15 ]; then
        echo "|$name|||||||not run: no time left|" >>"$table"
        return
    fi
    if [ -n "$dry" ] || [ "$most" -gt "$left" ]; then most=$left; fi
    rows=$(timeout --kill-after=5 "$most" "$python" -m benchmarks.gpu "$@" \
        --device "$device" --dtype "$dtype" 2>"$out/$name.log")
    status=$?
    # Libraries print too: only rows belong into the table.
    grep '^|' <<<"$rows" >>"$table"
    if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
        echo "|$name|||||||stopped after $most s|" >>"$table"
    elif [ "$status" -ne 0 ]; then
        echo "|$name|||||||failed: $(tail -n 1 "$out/$name.log" | tr '|' '/')|" >>"$table"
    fi
    echo "$name: $SECONDS s of $limit" >&2
}

part "play-$mid-64" 50 play --size "$mid" "${few[@]}"
[ -n "$dry" ] || part "play-$mid-256" 50 play --size "$mid" "${many[@]}"
[ -n "$dry" ] || part "play-$big-64" 80 play --size "$big" "${few[@]}"
part "nf4-$big" 90 nf4 --size "$big" "${train[@]}"
[ -n "$dry" ] || part "play-$big-256" 70 play --size "$big" "${many[@]}"
part "fsdp" 40 fsdp --size 2M
if "$python" -c 'import importlib.util as u; raise SystemExit(u.find_spec("vllm") is None)'; then
    part "vllm-$big-256" 80 vllm --size "$big" "${many[@]}"
    part "vllm-$big-64" 60 vllm --size "$big" "${few[@]}"
else
    echo "|vLLM|||||||not installed|" >>"$table"
fi
cat "$table"
