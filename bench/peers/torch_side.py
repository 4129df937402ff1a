"""PyTorch's side of bench/peers: reads names of work, answers with median microseconds."""
import functools
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


def classifier(model, x, optimizer=None):
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=1e-3)
    return training(model, optimizer, F.cross_entropy, x, torch.arange(128) % 10)


def mlp_step(dtype):
    model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10)).to(dtype)
    return classifier(model, values(dtype, 128, 784))


def sgd_step():
    model = torch.nn.Sequential(torch.nn.Linear(784, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    return classifier(model, values(torch.float32, 128, 784), torch.optim.SGD(model.parameters(), lr=1e-3))


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


def sparse_gradient(rows=100_000, columns=50_000, per_row=50):
    """SciPy's two products for a gradient, without the logistic function between them."""
    import numpy as np
    from scipy.sparse import csr_matrix

    row, i = np.arange(rows)[:, None], np.arange(per_row)[None, :]
    indices = ((row * 7919 + i * (2 * row + 104729) + i * i * 31) % columns).astype(np.int32).ravel()
    entries = (((row * 31 + i * 17) % 1009) / 1009 - 0.5).ravel()
    a = csr_matrix((entries, indices, np.arange(rows + 1) * per_row), shape=(rows, columns))
    w = ((np.arange(columns) * 7919) % 1009) / 1009 - 0.5
    r = 1 / (1 + np.exp(-(a @ w)))
    return lambda: (a @ w, a.T @ r)


LOGISTIC_RIDGE = 1e-4
LOGISTIC_GRADIENT = 1e-8  # norm, of the mean loss


def scattered(index):
    import numpy as np

    z = (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


def logistic_examples(name):
    """The examples of newton.go, and the labels of each fit."""
    import numpy as np
    from sklearn import datasets

    if name == "20000x500":
        count, width, correlation = 20_000, 500, 0.9
        u = scattered(np.arange(count * width)).reshape(count, width) - 0.5
        x = math.sqrt(12) * u
        for j in range(1, width):
            x[:, j] = correlation * x[:, j - 1] + math.sqrt(12 * (1 - correlation**2)) * u[:, j]
        logit = x @ ((((np.arange(width) * 7919) % 1009) / 1009 - 0.5) / 4)
        return x, [np.where(scattered(count * width + np.arange(count)) < 1 / (1 + np.exp(-logit)), 1, -1)]
    table = datasets.load_breast_cancer() if name == "breast-cancer" else datasets.load_digits()
    axis = 0 if name == "breast-cancer" else None  # pixels share mean and deviation
    x = (table.data - table.data.mean(axis)) / table.data.std(axis)
    classes = [1] if table.target.max() == 1 else range(table.target.max() + 1)
    return np.hstack([x, np.ones((len(x), 1))]), [np.where(table.target == c, 1, -1) for c in classes]


def lbfgs(x, y, tolerance):
    """What LogisticRegression(solver="lbfgs") calls, with its own loss, but for ftol: it leaves
    that at 2.2e-9, and ends at gradients of 1e-6 to 1e-4 whatever the tolerance."""
    import numpy as np
    from scipy import optimize
    from sklearn._loss.loss import HalfBinomialLoss
    from sklearn.linear_model._linear_loss import LinearModelLoss

    loss = LinearModelLoss(base_loss=HalfBinomialLoss(), fit_intercept=False)
    return optimize.minimize(
        loss.loss_gradient, np.zeros(x.shape[1]), method="L-BFGS-B", jac=True,
        args=(x, (y > 0).astype(float), None, LOGISTIC_RIDGE * len(x), 1),
        options={"gtol": tolerance * len(x), "ftol": 0, "maxiter": 10**5, "maxfun": 10**6}).x


def logistic(name, solver):
    """A fit of scikit-learn that reaches the gradient; None if it is missing or does not."""
    try:
        import numpy as np
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return None

    x, labels = logistic_examples(name)

    def fit(y, tolerance):
        if solver == "lbfgs":
            return lbfgs(x, y, tolerance)
        scale = 1 if solver == "newton-cholesky" else len(x)  # of the loss: mean or sum
        return LogisticRegression(
            C=1 / (LOGISTIC_RIDGE * len(x)), fit_intercept=False, solver=solver, tol=tolerance * scale, max_iter=10**5).fit(x, y).coef_[0]

    def norm(y, w):
        return np.linalg.norm(LOGISTIC_RIDGE * w - x.T @ (y / (1 + np.exp(y * (x @ w)))) / len(x))

    for tolerance in (1e-8, 3e-9, 1e-9, 1e-10):
        if all(norm(y, fit(y, tolerance)) <= LOGISTIC_GRADIENT for y in labels):
            return lambda: [fit(y, tolerance) for y in labels]
    return None


def mfac_step(m, d=100_000, damping=1e-3):
    """A gradient of the window is replaced; then the inverse Fisher matrix times it, by Cholesky in float64."""
    window = values(torch.float32, m, d)
    kernel = (window @ window.t()).double() + m * damping * torch.eye(m, dtype=torch.float64)
    gradient, step = window[-1].clone(), [0]

    def run():
        with torch.no_grad():
            row = step[0] = (step[0] + 1) % m
            window[row] = gradient
            products = torch.mv(window, gradient).double()
            kernel[row], kernel[:, row] = products, products
            kernel[row, row] += m * damping
            solution = torch.cholesky_solve(products[:, None], torch.linalg.cholesky(kernel))
            return torch.addmv(gradient, window.t(), solution[:, 0].float(), beta=1 / damping, alpha=-1 / damping)

    return run


def hessian_density(sizes=(64, 256, 128, 10), examples=1000, probes=10, steps=60):
    """Stochastic Lanczos quadrature: double backward, basis orthogonalised twice."""
    x, y = values(torch.float32, examples, sizes[0]), torch.arange(examples) % 10
    weights = []
    for n, m in zip(sizes, sizes[1:]):
        weights += [(values(torch.float32, n, m) * (4 / n)).requires_grad_(), torch.zeros(1, m, requires_grad=True)]
    dim = sum(w.numel() for w in weights)

    def loss():
        h = x
        for i in range(0, len(weights), 2):
            h = h @ weights[i] + weights[i + 1]
            if i < len(weights) - 2:
                h = torch.relu(h)
        return F.cross_entropy(h, y)

    def probe(gradients):
        basis, alpha, beta = torch.empty(steps, dim), [], []
        q = torch.randint(0, 2, (dim,)).to(torch.float32) * 2 - 1
        q /= q.norm()
        for j in range(steps):
            basis[j] = q
            parts = [p.reshape(w.shape) for p, w in zip(q.split([w.numel() for w in weights]), weights)]
            product = torch.autograd.grad(gradients, weights, grad_outputs=parts, retain_graph=True)
            with torch.no_grad():
                u = torch.cat([p.reshape(-1) for p in product])
                if j > 0:
                    u -= beta[-1] * basis[j - 1]
                alpha.append(torch.dot(q, u))
                u -= alpha[-1] * q
                for _ in range(2):
                    u -= basis[: j + 1].t() @ (basis[: j + 1] @ u)
                beta.append(u.norm())
                q = u / beta[-1]
        t = torch.diag(torch.stack(alpha).double())
        off = torch.stack(beta[:-1]).double()
        t += torch.diag(off, 1) + torch.diag(off, -1)
        nodes, vectors = torch.linalg.eigh(t)
        return nodes, vectors[0] ** 2

    def run():
        gradients = torch.autograd.grad(loss(), weights, create_graph=True)
        return [probe(gradients) for _ in range(probes)]

    return run


def federated_round():
    """FedAvg over 100 clients with 10 steps of SGD on 10 examples each, as it is written plainly."""
    clients, rows = 100, 1797
    x, y = values(torch.float32, rows, 64), torch.arange(rows) % 10
    shards = [torch.arange(i, rows, clients) for i in range(clients)]
    server, local = (torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)) for _ in range(2))

    def run():
        sums = [torch.zeros_like(p) for p in server.parameters()]
        for shard in shards:
            local.load_state_dict(server.state_dict())
            sgd = torch.optim.SGD(local.parameters(), lr=0.01)
            batches = []
            for _ in range(10):
                if not batches:
                    batches = list(shard[torch.randperm(len(shard))].split(10))
                batch = batches.pop(0)
                sgd.zero_grad(set_to_none=True)
                F.cross_entropy(local(x[batch]), y[batch]).backward()
                sgd.step()
            with torch.no_grad():
                for total, mine, ours in zip(sums, local.parameters(), server.parameters()):
                    total += (mine - ours) / clients
        with torch.no_grad():
            for p, total in zip(server.parameters(), sums):
                p += total

    return run


RANK = """
import datetime, sys, torch, torch.distributed as dist
rank, size, count, file = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method="file://" + file, rank=rank, world_size=size, timeout=datetime.timedelta(hours=1))
gradient = torch.zeros(count)
while True:
    dist.all_reduce(gradient)
"""


def all_reduce(count=10_000_000, size=8):
    """The sum of a gradient over processes, by gloo, as distributed training in PyTorch has it on CPUs."""
    import atexit
    import datetime
    import os
    import subprocess
    import tempfile
    import torch.distributed as dist

    file = os.path.join(tempfile.mkdtemp(), "gloo")
    ranks = [subprocess.Popen([sys.executable, "-c", RANK, str(r), str(size), str(count), file]) for r in range(1, size)]
    atexit.register(lambda: [r.kill() for r in ranks])
    dist.init_process_group("gloo", init_method="file://" + file, rank=0, world_size=size, timeout=datetime.timedelta(hours=1))
    gradient = torch.zeros(count)
    return lambda: dist.all_reduce(gradient)


WORK = {
    "fleet model+gradients f32 10Mx8": all_reduce,
    "federated round of 100 clients on digits": federated_round,
    "step tanh f32": lambda: tanh_step(torch.float32),
    "step tanh f64": lambda: tanh_step(torch.float64),
    "step mlp f32": lambda: mlp_step(torch.float32),
    "step mlp f64": lambda: mlp_step(torch.float64),
    "step sgd mlp f32": sgd_step,
    "step cnn f32": cnn_step,
    "step transformer f32": transformer_step,
    "hvp mlp f32": hessian_vector,
    "softmax f32 1024x1024": lambda: operation(lambda x: torch.softmax(x, -1)),
    "layernorm f32 1024x1024": lambda: operation(lambda x: F.layer_norm(x, (1024,))),
    "gelu f32 1024x1024": lambda: operation(F.gelu),
    "sum f32 1024x1024": lambda: operation(lambda x: x.sum(0)),
    "sparse gradient f64": sparse_gradient,
    "slq mlp 50k f32": hessian_density,
    "m-fac step d=100k m=64": lambda: mfac_step(64),
    "m-fac step d=100k m=512": lambda: mfac_step(512),
}
for examples in ("breast-cancer", "digits", "20000x500"):
    for solver in ("lbfgs", "newton-cg", "newton-cholesky"):
        WORK[f"logistic {examples} {solver}"] = functools.partial(logistic, examples, solver)


LONG = 8  # seconds beyond which work is not repeated to be sure


def repeat(work, seconds=0.3):
    times = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or (len(times) < 3 and time.perf_counter() - begin < LONG):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1e6


def main():
    prepared = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in WORK and not name.startswith("matmul"):
            print("nan", flush=True)  # not known here
            continue
        if name not in prepared:
            prepared[name] = WORK[name]() if name in WORK else product(name)
            warm = prepared[name] is None or name.startswith("logistic")  # that has looked for its tolerance
            begin = time.perf_counter()
            for i in range(0 if warm else 3):
                if i == 0 or time.perf_counter() - begin < LONG:
                    prepared[name]()
        if prepared[name] is None:
            print("nan", flush=True)  # a peer that is missing or does not get there
            continue
        print(repeat(prepared[name]), flush=True)


main()
