from syne_tune import StoppingCriterion, Tuner
from syne_tune.backend import LocalBackend
from syne_tune.config_space import loguniform, randint
from syne_tune.optimizer.baselines import ASHA

space = {"lr": loguniform(1e-4, 1e-1), "batch": randint(16, 64), "epochs": 3}
Tuner(
    trial_backend=LocalBackend(entry_point="train.py"),
    scheduler=ASHA(space, metric="loss", time_attr="step", max_resource_attr="epochs", type="stopping"),
    stop_criterion=StoppingCriterion(max_num_trials_finished=6),
    n_workers=2,
).run()
