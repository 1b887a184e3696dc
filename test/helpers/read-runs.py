"""Prints every live run of sweeps, read through MlflowClient, as JSON: python read-runs.py URL SWEEP…."""

import hashlib
import json
import os
import sys
import tempfile

os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402

url, *sweeps = sys.argv[1:]
# Clients of MLflow 2 resolve artifacts by the process's own server.
mlflow.set_tracking_uri(url)
client = MlflowClient(url)
experiments = [experiment.experiment_id for experiment in client.search_experiments()]
runs = []
for sweep in sweeps:
    token = None
    while True:
        page = client.search_runs(experiments, f"tags.`mlds.sweep` = '{sweep}'", max_results=1000, page_token=token)
        runs += page
        token = page.token
        if not token:
            break


def hashes(run_id):
    with tempfile.TemporaryDirectory() as folder:
        client.download_artifacts(run_id, "", folder)
        found = {}
        for base, _, files in os.walk(folder):
            for name in files:
                path = os.path.join(base, name)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
        return found


print(
    json.dumps(
        [
            {
                "run_id": run.info.run_id,
                "name": run.info.run_name,
                "status": run.info.status,
                "start": run.info.start_time,
                "end": run.info.end_time,
                "params": run.data.params,
                "tags": run.data.tags,
                "metrics": {
                    key: [[m.step, m.timestamp, repr(m.value)] for m in client.get_metric_history(run.info.run_id, key)]
                    for key in run.data.metrics
                },
                "artifacts": hashes(run.info.run_id),
            }
            for run in runs
        ]
    )
)
