"""Prints trials per second of MLflow's own client: python tracking_mlflow.py URL batch|fluent TRIALS POINTS."""

import sys
import time

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

url, way, trials, points = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
mlflow.set_tracking_uri(url)
client = MlflowClient(url)
experiment = mlflow.set_experiment(f"peer-{way}").experiment_id
start = time.time()
for trial in range(trials):
    if way == "fluent":
        with mlflow.start_run(run_name=f"trial-{trial}"):
            mlflow.log_params({"width": trial, "seed": 0})
            for step in range(points):
                mlflow.log_metrics({"train/loss": 1 / (step + 1)}, step=step)
    else:
        run = client.create_run(experiment, run_name=f"trial-{trial}").info.run_id
        metrics = [Metric("train/loss", 1 / (step + 1), 1_700_000_000_000 + step, step) for step in range(points)]
        client.log_batch(run, metrics=metrics, params=[Param("width", str(trial)), Param("seed", "0")])
        client.set_terminated(run)
print(trials / (time.time() - start))
