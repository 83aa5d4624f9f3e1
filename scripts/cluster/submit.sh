#!/bin/bash
# Submits a table to Slurm: a job array with a task for each row, and a job that writes table and page when all have ended
# well. Options of sbatch (partition, memory, time) go into SBATCH_ARGS. From the repository's root, after a build:
#   SBATCH_ARGS="--partition=short --cpus-per-task=4" scripts/cluster/submit.sh scripts/huang2014/context.fsx --preset brief --data MIR-1K
set -euo pipefail

if [ $# -eq 0 ]; then
    echo "usage: scripts/cluster/submit.sh SCRIPT [OPTIONS OF THE SCRIPT]" >&2
    exit 2
fi

logs=artifacts/slurm
mkdir -p "$logs"
names=$(dotnet fsi "$@" --list)
rows=$(wc -l <<< "$names")

# Word splitting is meant: SBATCH_ARGS holds several options.
# shellcheck disable=SC2086
array=$(sbatch ${SBATCH_ARGS:-} --parsable --array="1-$rows" --output="$logs/%A-%a.log" scripts/cluster/array.sbatch "$@")
# shellcheck disable=SC2086
merge=$(sbatch ${SBATCH_ARGS:-} --parsable --dependency="afterok:$array" --output="$logs/%j-merge.log" \
    scripts/cluster/array.sbatch "$@" --merge)

echo "array $array: $rows tasks, logs $logs/$array-*.log"
echo "then $merge: table and page, log $logs/$merge-merge.log"
