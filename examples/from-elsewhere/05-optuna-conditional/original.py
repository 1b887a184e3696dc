import optuna


def objective(trial):
    kind = trial.suggest_categorical("classifier", ["svc", "forest"])
    if kind == "svc":
        return score(kind, c=trial.suggest_float("c", 1e-3, 1e3, log=True))
    return score(kind, depth=trial.suggest_int("depth", 2, 32, log=True))


optuna.create_study(sampler=optuna.samplers.RandomSampler(0)).optimize(objective, n_trials=8)
