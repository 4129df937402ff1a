"""PyTorch's side of bench/peers: reads names of work, answers with median microseconds."""
import math
import re
import sys
import time

import torch
import torch.nn.functional as F

torch.set_num_threads(2)


def values(dtype, *dims):
    count = math.prod(dims)
    return (((torch.arange(count) * 7919) % 1009).to(torch.float64) / 1009 - 0.5).to(dtype).reshape(dims)


def number(name):
    return torch.float64 if name == "f64" else torch.float32


def product(name):
    kind, ta, tb, m, k, n = re.fullmatch(r"matmul (f\d+) ([nt])([nt]) (\d+)x(\d+)x(\d+)", name).groups()
    m, k, n = int(m), int(k), int(n)
    a = values(number(kind), k, m).t() if ta == "t" else values(number(kind), m, k)
    b = values(number(kind), n, k).t() if tb == "t" else values(number(kind), k, n)

    def run():
        with torch.no_grad():
            return torch.mm(a, b)

    return run


def training(model, optimizer, loss, x, y):
    def run():
        optimizer.zero_grad(set_to_none=True)
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return run


def tanh_step(dtype):
    model = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.Tanh(), torch.nn.Linear(64, 1)).to(dtype)
    sgd = torch.optim.SGD(model.parameters(), lr=1e-2)
    return training(model, sgd, F.mse_loss, values(dtype, 64, 32), values(dtype, 64, 1))


def classifier(model, x):
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    return training(model, adam, F.cross_entropy, x, torch.arange(128) % 10)


def mlp_step(dtype):
    model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)).to(dtype)
    return classifier(model, values(dtype, 128, 784))


def cnn_step():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(6, 16, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(400, 120), torch.nn.ReLU(), torch.nn.Linear(120, 84), torch.nn.ReLU(), torch.nn.Linear(84, 10))
    return classifier(model, values(torch.float32, 128, 1, 28, 28))


class Block(torch.nn.Module):
    """One pre-norm transformer block: width 128, 4 heads."""

    def __init__(self, width=128, heads=4):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = torch.nn.LayerNorm(width), torch.nn.LayerNorm(width)
        self.query, self.key, self.value, self.output = (torch.nn.Linear(width, width) for _ in range(4))
        self.up, self.down = torch.nn.Linear(width, 4 * width), torch.nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        h = self.norm1(x)
        q, k, v = (p(h).reshape(batch, length, self.heads, -1).transpose(1, 2) for p in (self.query, self.key, self.value))
        scores = q @ k.transpose(-1, -2) / math.sqrt(width / self.heads)
        mixed = (torch.softmax(scores, -1) @ v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.output(mixed)
        return x + self.down(F.gelu(self.up(self.norm2(x))))


def transformer_step():
    model = Block()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    return training(model, adam, F.mse_loss, values(torch.float32, 16, 64, 128), values(torch.float32, 16, 64, 128))


def hessian_vector():
    x, y = values(torch.float32, 128, 784), torch.arange(128) % 10
    shapes = [(784, 256), (1, 256), (256, 10), (1, 10)]
    weights = [values(torch.float32, *s).requires_grad_() for s in shapes]
    vector = [values(torch.float32, *s) for s in shapes]

    def run():
        loss = F.cross_entropy(torch.relu(x @ weights[0] + weights[1]) @ weights[2] + weights[3], y)
        gradients = torch.autograd.grad(loss, weights, create_graph=True)
        dot = sum((g * v).sum() for g, v in zip(gradients, vector))
        return torch.autograd.grad(dot, weights)

    return run


def operation(f):
    x = values(torch.float32, 1024, 1024)

    def run():
        with torch.no_grad():
            return f(x)

    return run


WORK = {
    "step tanh f32": lambda: tanh_step(torch.float32),
    "step tanh f64": lambda: tanh_step(torch.float64),
    "step mlp f32": lambda: mlp_step(torch.float32),
    "step mlp f64": lambda: mlp_step(torch.float64),
    "step cnn f32": cnn_step,
    "step transformer f32": transformer_step,
    "hvp mlp f32": hessian_vector,
    "softmax f32 1024x1024": lambda: operation(lambda x: torch.softmax(x, -1)),
    "layernorm f32 1024x1024": lambda: operation(lambda x: F.layer_norm(x, (1024,))),
    "gelu f32 1024x1024": lambda: operation(F.gelu),
    "sum f32 1024x1024": lambda: operation(lambda x: x.sum(0)),
}


def repeat(work, seconds=0.3):
    times = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or len(times) < 3:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6


def main():
    prepared = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in prepared:
            prepared[name] = WORK[name]() if name in WORK else product(name)
            for _ in range(3):
                prepared[name]()
        print(repeat(prepared[name]), flush=True)


main()
