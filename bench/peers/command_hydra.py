"""Seconds from the first start to the last end of N jobs that each run a program, two at once, by Hydra's joblib launcher."""
import pathlib
import subprocess
import sys
import time

import hydra


@hydra.main(version_base=None, config_path=None)
def job(config):
    start = time.time()
    subprocess.run(["echo", '{"loss": %d}' % config.x], check=True, stdout=subprocess.DEVNULL)
    pathlib.Path("times").write_text(f"{start} {time.time()}")


count = int(sys.argv[1])
sys.argv[1:] = [
    "--multirun",
    "+x=range(%d)" % count,
    "hydra/launcher=joblib",
    "hydra.launcher.n_jobs=2",
    "hydra.sweep.dir=jobs",
]
job()
times = [[float(t) for t in file.read_text().split()] for file in pathlib.Path("jobs").glob("*/times")]
assert len(times) == count, len(times)
print("seconds", max(end for _, end in times) - min(start for start, _ in times))
