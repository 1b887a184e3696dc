"""What interpolate and sharpness do with stored weights, written in PyTorch on one thread. Reads what bench/experiments.ts
wrote into the folder given, and answers each name on stdin with the processor seconds it took and the numbers that came out."""
import json
import sys
import time
from pathlib import Path
import numpy as np
import torch
from torch import nn

torch.set_num_threads(1)
folder = Path(sys.argv[1])

def array(name, dtype=np.float32): return torch.from_numpy(np.fromfile(folder / name, dtype))

class Given(dict):
    """One net's weights from a flat vector: kernels lie as mlds has them, inputs before outputs."""
    def __init__(self, net, flat):
        at = 0
        for name, parameter in net.named_parameters():
            part = flat[at:at + parameter.numel()]
            at += parameter.numel()
            if parameter.dim() == 2: part = part.reshape(parameter.shape[::-1]).T
            if parameter.dim() == 4: part = part.reshape(*parameter.shape[2:], parameter.shape[1], parameter.shape[0]).permute(3, 2, 0, 1)
            self[name] = part.reshape(parameter.shape).contiguous()

def interpolate():
    """Loss and accuracy at each α, one net after the other over all images at once."""
    net = nn.Sequential(nn.Linear(784, 256), nn.LeakyReLU(.2), nn.Linear(256, 256), nn.LeakyReLU(.2), nn.Linear(256, 10))
    x, y = array("images.f32").reshape(-1, 784), array("labels.i32", np.int32).long()
    a, b = Given(net, array("a.f32")), Given(net, array("b.f32"))
    alphas, criterion = json.loads((folder / "alphas.json").read_text()), nn.CrossEntropyLoss()
    @torch.no_grad()
    def work():
        losses, accuracies = [], []
        for alpha in alphas:
            net.load_state_dict({name: alpha * a[name] + (1 - alpha) * b[name] for name in a})
            outputs = net(x)
            losses.append(criterion(outputs, y).item())
            accuracies.append((outputs.argmax(1) == y).float().mean().item())
        return sum(losses) / len(losses), sum(accuracies) / len(accuracies)
    return work

def eigenvalue():
    """The Hessian's largest eigenvalue by as many products as mlds makes, each a sum over chunks of the rows, the gradient
    differentiated once more (as PyHessian does); Lanczos with the three-term recurrence."""
    net = nn.Sequential(nn.Conv2d(1, 22, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(22, 22, 2), nn.ReLU(), nn.MaxPool2d(3))
    # mlds flattens rows, columns, channels; PyTorch channels first.
    head = nn.Sequential(nn.Linear(352, 80), nn.ReLU(), nn.Linear(80, 10))
    net = nn.Sequential(net, head)
    forward = lambda images: head(net[0](images).permute(0, 2, 3, 1).flatten(1))
    with torch.no_grad():
        for (_, parameter), value in zip(net.named_parameters(), Given(net, array("cnn.f32")).values()): parameter.copy_(value)
    x, y = array("images.f32").reshape(-1, 1, 28, 28), array("labels.i32", np.int32).long()
    rows = json.loads((folder / "eigenvalue.json").read_text())
    x, y, products = x[:rows["rows"]], y[:rows["rows"]], rows["products"]
    parameters, criterion = list(net.parameters()), nn.CrossEntropyLoss(reduction="sum")
    def product(vector):
        total, parts, at = torch.zeros_like(vector), [], 0
        for parameter in parameters:
            parts.append(vector[at:at + parameter.numel()].view_as(parameter))
            at += parameter.numel()
        for images, labels in zip(x.split(rows["chunk"]), y.split(rows["chunk"])):
            gradients = torch.autograd.grad(criterion(forward(images), labels), parameters, create_graph=True)
            second = torch.autograd.grad(gradients, parameters, grad_outputs=parts)
            total += torch.cat([part.flatten() for part in second])
        return total / len(x)
    def work():
        generator = torch.Generator().manual_seed(0)
        vector = torch.randn(sum(p.numel() for p in parameters), generator=generator)
        vector, before, beside = vector / vector.norm(), torch.zeros_like(vector), 0.
        matrix = torch.zeros(products, products)
        for k in range(products):
            following = product(vector) - beside * before
            matrix[k, k] = torch.dot(following, vector)
            following -= matrix[k, k] * vector
            beside = following.norm()
            if k + 1 < products: matrix[k, k + 1] = matrix[k + 1, k] = beside
            before, vector = vector, following / beside
        return torch.linalg.eigvalsh(matrix)[-1].item(),
    return work

WORKS, ready = {"interpolate": interpolate, "eigenvalue": eigenvalue}, {}
for line in sys.stdin:
    name = line.strip()
    ready[name] = ready.get(name) or WORKS[name]()
    start = time.process_time()
    result = ready[name]()
    print(json.dumps({"seconds": time.process_time() - start, "result": result}), flush=True)
