"""The params sweep in Ray Tune with PyTorch: two trials at a time, reporting each epoch."""
import os, sys
os.environ["RAY_AIR_NEW_OUTPUT"] = "0"
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ray
from ray import tune

def trainable(config):
    import torch
    from torch import nn
    from params_torch import load
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = (torch.from_numpy(a) for a in load(config["path"]))
    xt, yt, xv, yv = x[:7500], y[:7500], x[7500:], y[7500:]
    width = config["width"]
    sizes = [784, 10, width, width, width, 10]
    layers = []
    for a, b in zip(sizes, sizes[1:]): layers += [nn.Linear(a, b), nn.ReLU()]
    net = nn.Sequential(*layers[:-1])
    opt, loss_of = torch.optim.Adagrad(net.parameters(), 0.01), nn.CrossEntropyLoss()
    for epoch in range(20):
        total, right = 0., 0
        order = torch.randperm(7500)
        for s in range(0, 7500, 100):
            rows = order[s:s + 100]
            opt.zero_grad()
            out = net(xt[rows])
            loss = loss_of(out, yt[rows])
            loss.backward()
            opt.step()
            total += loss.item()
            right += (out.argmax(1) == yt[rows]).sum().item()
        with torch.no_grad():
            out = net(xv)
            tune.report({"train_loss": total / 75, "train_accuracy": right / 7500, "loss": loss_of(out, yv).item(),
                         "accuracy": (out.argmax(1) == yv).float().mean().item()})

if __name__ == "__main__":
    widths = sorted(map(int, sys.argv[2].split(",")), reverse=True)
    here = os.path.dirname(os.path.abspath(__file__))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": here}})
    tuner = tune.Tuner(trainable, param_space={"width": tune.grid_search(widths), "path": sys.argv[1]},
                       tune_config=tune.TuneConfig(max_concurrent_trials=2), run_config=tune.RunConfig(verbose=0))
    results = tuner.fit()
    assert len(results) == len(widths) and not results.errors
