"""When each of N jobs ended that run a program, two at once, by Hydra's joblib launcher: seconds, as a list of JSON."""
import json
import pathlib
import subprocess
import sys
import time

import hydra


@hydra.main(version_base=None, config_path=None)
def job(config):
    subprocess.run(["echo", '{"loss": %d}' % config.x], check=True, stdout=subprocess.DEVNULL)
    pathlib.Path("end").write_text(str(time.time()))


count = int(sys.argv[1])
sys.argv[1:] = [
    "--multirun",
    "+x=range(%d)" % count,
    "hydra/launcher=joblib",
    "hydra.launcher.n_jobs=2",
    "hydra.job.chdir=True",
    "hydra.sweep.dir=jobs",
]
job()
ends = [float(file.read_text()) for file in pathlib.Path("jobs").glob("*/end")]
assert len(ends) == count, len(ends)
print("ends", json.dumps(ends))
