#!/bin/sh
# Both with the same seeds, to be compared in pairs by hand.
for seed in 0 1 2; do
  train --method=a --seed=$seed
  train --method=b --seed=$seed
done
