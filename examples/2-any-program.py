"""Any program: what it prints as JSON with a step is a report, other JSON is part of the result, the rest is log."""
import argparse
import json
import os
import random

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--width", type=int)
parser.add_argument("--seed", type=int)
args = parser.parse_args()

weight = random.Random(args.seed).uniform(0.5, 1.5)
for step in range(1, 11):
    weight -= args.lr * weight
    print(json.dumps({"step": step, "loss": weight**2}), flush=True)
print(json.dumps({"width": args.width}))

# What is left in this folder is kept with the trial.
with open(os.path.join(os.environ["MLDS_FOLDER"], "weight.txt"), "w") as file:
    file.write(str(weight))
