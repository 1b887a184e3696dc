"""Writes trials as runs into an SQLite file of MLflow: dashboard_mlflow.py TRIALS.jsonl FILE, which mlflow ui then shows.
A line is {"params": {...}, "loss": [one for each step]}. Past MLflow's API, which takes as long as the trials would."""
import json
import sys
import uuid

from mlflow.store.tracking.dbmodels.models import SqlLatestMetric, SqlMetric, SqlParam, SqlRun, SqlTag
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import insert

given, file = sys.argv[1:]
store = SqlAlchemyStore(f"sqlite:///{file}", f"{file}-artifacts")
experiment = int(store.create_experiment("bench"))
rows = {kind: [] for kind in (SqlRun, SqlParam, SqlMetric, SqlLatestMetric, SqlTag)}
with open(given) as lines:
    for number, line in enumerate(lines):
        told = json.loads(line)
        run, start = uuid.uuid4().hex, 1_700_000_000_000 + 507 * number
        name = f"trial-{number}"
        rows[SqlRun].append(
            dict(run_uuid=run, name=name, experiment_id=experiment, user_id="bench", status="FINISHED", start_time=start,
                 end_time=start + 500, lifecycle_stage="active", source_type="LOCAL", artifact_uri=f"{file}-artifacts/{run}")
        )
        rows[SqlTag].append(dict(run_uuid=run, key="mlflow.runName", value=name))
        for key, value in told["params"].items():
            rows[SqlParam].append(dict(run_uuid=run, key=key, value=str(value)))
        points = [
            dict(run_uuid=run, key="loss", value=value, step=step + 1, timestamp=start + step, is_nan=False)
            for step, value in enumerate(told["loss"])
        ]
        rows[SqlMetric] += points
        rows[SqlLatestMetric].append(points[-1])
with store.engine.begin() as connection:
    for kind, values in rows.items():
        connection.execute(insert(kind), values)
print(experiment)
