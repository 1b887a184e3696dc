"""No-op trials per second of a peer: `queue_peers.py optuna|ray FOLDER`."""
import sys
import time

peer, folder = sys.argv[1:3]

if peer == "optuna":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(storage=f"sqlite:///{folder}/optuna.db", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(lambda trial: trial.suggest_int("n", 0, 10_000), n_trials=20)
    count = 200
    start = time.perf_counter()
    study.optimize(lambda trial: trial.suggest_int("n", 0, 10_000), n_trials=count)
    took = time.perf_counter() - start
    print(f"Optuna {optuna.__version__}, RDB storage on SQLite, one process: {count / took:.1f} no-op trials/s, {1000 * took / count:.1f} ms a trial")
else:
    import ray
    from ray import tune

    ray.init(num_cpus=8, include_dashboard=False, log_to_driver=False, logging_level="ERROR")

    def nothing(config):
        tune.report({"n": config["n"]})

    def run(count):
        tuner = tune.Tuner(
            tune.with_resources(nothing, {"cpu": 1}),
            param_space={"n": tune.grid_search(list(range(count)))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        )
        start = time.perf_counter()
        tuner.fit()
        return time.perf_counter() - start

    run(8)
    few, many = run(8), run(48)
    print(f"Ray Tune {ray.__version__}, 8 at a time, actors reused: {40 / (many - few):.1f} no-op trials/s")
