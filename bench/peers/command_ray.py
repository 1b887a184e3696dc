"""When each of N trials ended that run a program, two at once, in Ray Tune: seconds, as a list of JSON."""
import json
import subprocess
import sys
import time

import ray
from ray import tune

count = int(sys.argv[1])


def trial(config):
    subprocess.run(["echo", '{"loss": %d}' % config["x"]], check=True, stdout=subprocess.DEVNULL)
    tune.report({"loss": config["x"], "end": time.time()})


ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
tuner = tune.Tuner(
    trial,
    param_space={"x": tune.grid_search(list(range(count)))},
    tune_config=tune.TuneConfig(max_concurrent_trials=2, reuse_actors=True),
    run_config=tune.RunConfig(verbose=0),
)
results = tuner.fit()
print("ends", json.dumps([result.metrics["end"] for result in results]))
