"""The reduced sim-func sweep as one would write it in PyTorch: two processes, the same four nets, points, batches, epochs,
seeds and optimiser, the test loss over the last 20 epochs, and the fitted curve. Arguments: epochs, seeds."""
import math
import sys
from multiprocessing import get_context

HIDDEN = {"m1": [5] + [10] * 11 + [5, 4], "m2": [4, 9, 16, 25, 16, 9, 4], "m3": [18, 32, 18], "m4": [417]}
LATE_EPOCHS = 20

def train(task):
    model, target, seed, epochs = task
    import torch
    from torch import nn
    torch.set_num_threads(1)
    torch.manual_seed(seed)

    def truth(x):
        if target == "f1": return (torch.sin(6 * math.pi * (x - .5)) + torch.sin(8 * math.pi * (x - .5))) / 2
        return torch.exp(torch.sin(40 * x)) * torch.log(x + 1)

    x, held = torch.rand(10_000, 1), torch.rand(10_000, 1)
    y, held_y = truth(x), truth(held)
    layers, width = [], 1
    for units in HIDDEN[model]:
        layers += [nn.Linear(width, units), nn.LeakyReLU(.1)]
        width = units
    net = nn.Sequential(*layers, nn.Linear(width, 1))
    for layer in net:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    optimizer, criterion = torch.optim.Adam(net.parameters(), 1e-3, eps=1e-7), nn.MSELoss()
    losses, tests = [], []
    for epoch in range(epochs):
        total = torch.zeros(())
        for rows in torch.randperm(10_000).split(300):
            optimizer.zero_grad()
            loss = criterion(net(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        losses.append(total.item() / 10_000)
        if epoch >= epochs - LATE_EPOCHS:
            with torch.no_grad(): tests.append(criterion(net(held), held_y).item())
    with torch.no_grad(): curve = net(torch.linspace(0, 1, 501)[:, None])
    late = sorted(losses[-LATE_EPOCHS:])[LATE_EPOCHS // 2]
    return model, target, seed, late, sorted(tests)[len(tests) // 2], len(curve)

if __name__ == "__main__":
    epochs, seeds = int(sys.argv[1]), map(int, sys.argv[2].split(","))
    tasks = [(model, target, seed, epochs) for seed in seeds for target in ("f1", "f2") for model in HIDDEN]
    with get_context("spawn").Pool(2) as pool:
        for result in pool.imap_unordered(train, tasks, chunksize=1): print(*result)
