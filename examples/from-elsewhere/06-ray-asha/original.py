from ray import tune
from ray.tune.schedulers import ASHAScheduler


def train(config):
    for _ in range(3):
        tune.report({"loss": step(config["lr"], config["momentum"])})


tune.Tuner(
    train,
    param_space={"lr": tune.loguniform(1e-4, 1e-1), "momentum": tune.quniform(0.5, 0.9, 0.1)},
    tune_config=tune.TuneConfig(
        metric="loss", mode="min", num_samples=6, scheduler=ASHAScheduler(max_t=3, reduction_factor=3)
    ),
).fit()
