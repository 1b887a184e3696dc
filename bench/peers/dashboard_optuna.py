"""Writes trials as a study of Optuna: dashboard_optuna.py TRIALS.jsonl FILE, which optuna-dashboard then shows.
A line is {"params": {...}, "loss": [one for each step]}. Needs optuna==5.0.0 optuna-dashboard."""
import json
import sys

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
given, file = sys.argv[1:]
space = {
    "lr": FloatDistribution(1e-4, 1, log=True),
    "width": IntDistribution(8, 128),
    "act": CategoricalDistribution(["relu", "tanh"]),
    "seed": IntDistribution(0, 9),
}
study = optuna.create_study(study_name="bench", storage=JournalStorage(JournalFileBackend(file)))
with open(given) as lines:
    for line in lines:
        told = json.loads(line)
        study.add_trial(
            optuna.trial.create_trial(
                params=told["params"],
                distributions=space,
                value=told["loss"][-1],
                intermediate_values={step + 1: value for step, value in enumerate(told["loss"])},
            )
        )
