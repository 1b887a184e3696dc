#!/bin/sh
for lr in 0.01 0.1; do
  train --lr=$lr --out=run-$lr
  for crop in 24 28; do
    evaluate --from=run-$lr --crop=$crop
  done
done
