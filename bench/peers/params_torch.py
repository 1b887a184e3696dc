"""The params sweep as one would write it in PyTorch: two processes, largest nets first, the same data sizes, batches,
epochs, optimiser, and an evaluation of the held-out rows after each epoch."""
import sys
from multiprocessing import get_context
import numpy as np

def load(path):
    counts = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
    x = np.fromfile(path, dtype=np.uint8).reshape(10000, 784).astype(np.float32) / 255
    y = np.repeat(np.arange(10), counts)
    order = np.random.default_rng(0).permutation(10000)
    return x[order], y[order]

def train(task):
    path, width = task
    import torch
    from torch import nn
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = (torch.from_numpy(a) for a in load(path))
    xt, yt, xv, yv = x[:7500], y[:7500], x[7500:], y[7500:]
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
            val_loss, val_acc = loss_of(out, yv).item(), (out.argmax(1) == yv).float().mean().item()
    return width, total / 75, right / 7500, val_loss, val_acc

if __name__ == "__main__":
    path, widths = sys.argv[1], sorted(map(int, sys.argv[2].split(",")), reverse=True)
    with get_context("spawn").Pool(2) as pool:
        for result in pool.imap_unordered(train, [(path, w) for w in widths]): print(*result)
