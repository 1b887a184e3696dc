"""Training steps of the experiments' nets in PyTorch, eager, on one thread: answers each net's name on stdin with
the microseconds a step of one call took."""
import sys, time
import torch
from torch import nn

torch.set_num_threads(1)

def mlp(inputs, hidden, outputs, act):
    layers, width = [], inputs
    for units in hidden:
        layers += [nn.Linear(width, units), act()]
        width = units
    return nn.Sequential(*layers, nn.Linear(width, outputs))

leaky = lambda s: (lambda: nn.LeakyReLU(s))
conv = lambda i, f, k: nn.Conv2d(i, f, k, bias=False)
def cnn(*layers): return nn.Sequential(*layers)

def regression(hidden, batch, steps): return mlp(1, hidden, 1, leaky(.1)), batch, steps, "mse", "adam"
def digits(net, batch, steps, opt="adam"): return net, batch, steps, "ce", opt
params = lambda u, steps: digits(mlp(784, [10, u, u, u], 10, nn.ReLU), 100, steps, "adagrad")

WORKS = {
    "m1": lambda: regression([5] + [10] * 11 + [5, 4], 300, 33),
    "m2": lambda: regression([4, 9, 16, 25, 16, 9, 4], 300, 33),
    "m4": lambda: regression([417], 300, 33),
    "grad411": lambda: regression([4, 9, 16, 9, 4], 200, 50),
    "shuffled": lambda: digits(mlp(784, [256], 10, nn.ReLU), 100, 40),
    "inter": lambda: digits(mlp(784, [256, 256], 10, leaky(.2)), 100, 40),
    "inter1000": lambda: digits(mlp(784, [256, 256], 10, leaky(.2)), 1000, 4),
    "p2": lambda: params(2, 75), "p100": lambda: params(100, 75), "p840": lambda: params(840, 10),
    "c1": lambda: digits(cnn(conv(1, 9, 3), nn.MaxPool2d(2), conv(9, 6, 4), conv(6, 5, 3), conv(5, 28, 3), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(252, 10), nn.ReLU(), nn.Linear(10, 15), nn.ReLU(), nn.Linear(15, 10)), 200, 5),
    "c2": lambda: digits(cnn(conv(1, 25, 3), nn.MaxPool2d(2), conv(25, 10, 3), nn.MaxPool2d(2), nn.Flatten(),
                             nn.Linear(250, 10), nn.ReLU(), nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 10)), 200, 4),
    "c4": lambda: digits(cnn(conv(1, 17, 12), nn.MaxPool2d(4), nn.Flatten(), nn.Linear(272, 10), nn.ReLU(), nn.Linear(10, 10)), 200, 4),
}

ready = {}
def prepare(name):
    net, batch, steps, loss, opt = WORKS[name]()
    rows = batch * steps
    first = net[0]
    shape = (rows, 1, 28, 28) if isinstance(first, nn.Conv2d) else (rows, first.in_features)
    x = torch.rand(shape)
    y = torch.randint(0, 10, (rows,)) if loss == "ce" else torch.sin(6 * x)
    criterion = nn.CrossEntropyLoss() if loss == "ce" else nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, eps=1e-7) if opt == "adam" else torch.optim.Adagrad(net.parameters(), 0.01)
    return net, x, y, criterion, optimizer, batch, steps

def epoch(net, x, y, criterion, optimizer, batch, steps):
    order = torch.randperm(batch * steps)
    for s in range(steps):
        rows = order[s * batch:(s + 1) * batch]
        optimizer.zero_grad()
        loss = criterion(net(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
    return loss.item()

for line in sys.stdin:
    name = line.strip()
    if name not in ready:
        ready[name] = prepare(name)
        epoch(*ready[name])
    start, epochs = time.perf_counter(), 0
    # A single epoch of a small net would measure how cold the processor became while others were measured.
    while epochs == 0 or time.perf_counter() - start < .05:
        epoch(*ready[name])
        epochs += 1
    print((time.perf_counter() - start) / (epochs * ready[name][-1]) * 1e6, flush=True)
