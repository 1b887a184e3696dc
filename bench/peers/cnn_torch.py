"""The reduced cnn sweep as one would write it in PyTorch: two processes, the same four nets, rows, batches, epochs, seeds and
optimiser, and an evaluation of the held-out rows every 10 epochs. Arguments: file of pixels, epochs, seeds."""
import sys
from multiprocessing import get_context
import numpy as np

COUNTS = [1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978]
ROWS, HELD, BATCH = 8000, 2000, 40

def build(structure):
    from torch import nn
    def conv(inputs, filters, size): return nn.Conv2d(inputs, filters, size, bias=False)
    def dense(*widths):
        layers = [nn.Flatten()]
        for a, b in zip(widths, widths[1:]): layers += [nn.Linear(a, b), nn.ReLU()]
        return layers[:-1]
    two = [conv(1, 25, 3), nn.MaxPool2d(2), conv(25, 10, 3), nn.MaxPool2d(2)]
    return nn.Sequential(*{
        "c1": [conv(1, 9, 3), nn.MaxPool2d(2), conv(9, 6, 4), conv(6, 5, 3), conv(5, 28, 3), nn.MaxPool2d(2), *dense(252, 10, 15, 10)],
        "c2": [*two, *dense(250, 10, 16, 10)],
        "c3": [*two, *dense(250, 10, 7, 12, 7, 10)],
        "c4": [conv(1, 17, 12), nn.MaxPool2d(4), *dense(272, 10, 10)],
    }[structure])

def train(task):
    pixels, structure, seed, epochs = task
    import torch
    from torch import nn
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    order = np.random.default_rng(seed).permutation(10_000)[:ROWS + HELD]
    x = torch.from_numpy(np.fromfile(pixels, np.uint8).reshape(10_000, 1, 28, 28)[order].astype(np.float32) / 255)
    y = torch.from_numpy(np.repeat(np.arange(10), COUNTS)[order])
    x, held, y, held_y = x[:ROWS], x[ROWS:], y[:ROWS], y[ROWS:]
    net, criterion = build(structure), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, eps=1e-7)
    for epoch in range(1, epochs + 1):
        total, right = torch.zeros(()), torch.zeros(())
        for rows in torch.randperm(ROWS).split(BATCH):
            optimizer.zero_grad()
            out = net(x[rows])
            loss = criterion(out, y[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
            right += (out.argmax(1) == y[rows]).sum()
        measured = total.item() / ROWS, right.item() / ROWS
        if epoch % 10 == 0 or epoch == epochs:
            with torch.no_grad():
                out = net(held)
                test = criterion(out, held_y).item(), (out.argmax(1) == held_y).float().mean().item()
    return structure, seed, *measured, *test

if __name__ == "__main__":
    pixels, epochs, seeds = sys.argv[1], int(sys.argv[2]), map(int, sys.argv[3].split(","))
    tasks = [(pixels, structure, seed, epochs) for seed in seeds for structure in ("c2", "c3", "c4", "c1")]
    with get_context("spawn").Pool(2) as pool:
        for result in pool.imap_unordered(train, tasks, chunksize=1): print(*result)
