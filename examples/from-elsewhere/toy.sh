#!/bin/sh
# Stands for the programs of these sweeps: takes --name=value and name=value, reports a loss that falls, and leaves a file.
lr=0.1 seed=0 from=
for word in "$@"; do
  case "$word" in
    lr=* | --lr=*) lr=${word#*=} ;;
    seed=* | --seed=*) seed=${word#*=} ;;
    from=* | --from=*) from=${word#*=} ;;
  esac
done
# Of a later stage: what the earlier one left.
start=1
[ -z "$from" ] || start=$(cat "$from/weights.txt")
awk -v lr="$lr" -v seed="$seed" -v start="$start" 'BEGIN {
  distance = log(lr) / log(10) + 2
  if (distance < 0) distance = -distance
  loss = start + distance + seed / 100
  for (step = 1; step <= 3; step++) printf "{\"step\": %d, \"loss\": %.6f}\n", step, loss + 1 / step
  printf "{\"loss\": %.6f, \"accuracy\": %.6f}\n", loss, 1 / (1 + loss)
  print loss > (ENVIRON["MLDS_FOLDER"] "/weights.txt")
}'
