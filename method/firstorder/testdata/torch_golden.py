"""Writes torch_golden.json: the paths of PyTorch's optimizers on one quadratic.

The function is 0.5 sum_i curvature_i (x_i - minimum_i)^2 in float64. Each case
holds x after the steps named in "steps". Made with PyTorch 1.13:

    python3 torch_golden.py > torch_golden.json
"""
import json

import torch

CURVATURE = [0.01, 0.5, 3.0, 20.0]
MINIMUM = [1.0, -2.0, 0.5, 0.0]
START = [-1.0, 0.3, 2.0, 1.5]
STEPS = [1, 2, 10, 50]

CASES = {
    "sgd:lr=0.01": lambda p: torch.optim.SGD(p, lr=0.01),
    "momentum:lr=0.01": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "nesterov:lr=0.01:momentum=0.8": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.8, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad(p),
    "adagrad:lr=0.3": lambda p: torch.optim.Adagrad(p, lr=0.3),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "rmsprop": lambda p: torch.optim.RMSprop(p),
    "adam": lambda p: torch.optim.Adam(p),
    "adam:lr=0.1:beta1=0.8:beta2=0.99:epsilon=0.001":
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.99), eps=0.001),
    "adamw:lr=0.1": lambda p: torch.optim.AdamW(p, lr=0.1),
    "amsgrad:lr=0.1:raw_maximum=true": lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True),
}


def path(make):
    x = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    curvature, minimum = (torch.tensor(v, dtype=torch.float64) for v in (CURVATURE, MINIMUM))
    optimizer = make([x])
    positions = []
    for step in range(1, max(STEPS) + 1):
        optimizer.zero_grad()
        (0.5 * curvature * (x - minimum) ** 2).sum().backward()
        optimizer.step()
        if step in STEPS:
            positions.append(x.detach().tolist())
    return positions


print(json.dumps({
    "torch": torch.__version__,
    "curvature": CURVATURE, "minimum": MINIMUM, "start": START, "steps": STEPS,
    "paths": {spec: path(make) for spec, make in CASES.items()},
}, indent=1))
