#!/bin/sh
# 22,500 runs; whoever interrupts it begins again.
for lr in $(seq 0.001 0.001 0.15); do
  for width in $(seq 1 150); do
    train --lr="$lr" --width="$width" >> results.txt
  done
done
