"""Golden values of the metrics of maps, from Quantus.

usage: metrics.py OUT.json        (committed: python tests/reference/metrics.py models/tests/quantus.json)

Needs metrics-requirements.txt and, by itself, quantus. Everything is computed in float64 and seeded: the same versions write the
same numbers.

A network with two layers, logits = second @ tanh(first @ pixels), reads pictures [1, 8, 8] with three classes. All lists are
row-major.
  first [12, 64], second [3, 12]
  pictures [n, 64] in [0, 1], classes [n]
  gradients [n, 64]        of the logit of the class
  maps [n, 64]             positive and negative, no two magnitudes alike
  masks [n, 64]            the object
  noise [n, k, 64]         what is added for max_sensitivity
  randomised [n, 2, 64]    gradients with first, then also second, from a normal distribution (top down, as Quantus does it)
  blocks                   side of the blocks of infidelity; they turn black one after the other and stay so
Scores by name, one per picture; pixel_flipping has the curve and its area divided by its length.
"""

import json
import sys

import numpy as np
import torch

if not hasattr(np, "trapz"):
    # Quantus 0.6.0 calls what numpy 2.4 names otherwise.
    np.trapz = np.trapezoid
import quantus  # noqa: E402

COUNT, SIDE, HIDDEN, CLASSES, NOISY, BLOCK = 3, 8, 12, 3, 5, 4


class Net(torch.nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first = torch.nn.Linear(SIDE * SIDE, HIDDEN, bias=False)
        self.second = torch.nn.Linear(HIDDEN, CLASSES, bias=False)
        self.double()
        with torch.no_grad():
            self.first.weight.copy_(torch.from_numpy(first))
            self.second.weight.copy_(torch.from_numpy(second))

    def forward(self, x):
        return self.second(torch.tanh(self.first(x.to(torch.float64).flatten(1))))


def gradient(model, inputs, targets, **_):
    x = torch.as_tensor(inputs, dtype=torch.float64).requires_grad_()
    model(x)[torch.arange(len(x)), torch.as_tensor(targets)].sum().backward()
    return x.grad.numpy()


def main(out):
    rng = np.random.default_rng(7)
    first = rng.normal(0, 0.4, (HIDDEN, SIDE * SIDE))
    second = rng.normal(0, 1.0, (CLASSES, HIDDEN))
    net = Net(first, second).eval()
    x = rng.uniform(0.05, 1, (COUNT, 1, SIDE, SIDE))
    y = np.array([0, 2, 1])
    maps = rng.normal(0, 1, (COUNT, 1, SIDE, SIDE))
    gradients = gradient(net, x, y)
    masks = np.zeros((COUNT, 1, SIDE, SIDE))
    masks[0, :, 1:4, 2:6] = masks[1, :, 5:, :3] = masks[2, :, :, :] = 1
    masks[2, :, 0, 0] = 0
    quiet = dict(disable_warnings=True, display_progressbar=False)
    common = dict(model=net, x_batch=x, y_batch=y)
    positive = np.abs(maps)
    scores = {
        "sparseness": quantus.Sparseness(**quiet)(**common, a_batch=maps.copy()),
        "complexity": quantus.Complexity(**quiet)(**common, a_batch=maps.copy()),
        "pointing_game": quantus.PointingGame(abs=False, normalise=False, **quiet)(**common, a_batch=maps.copy(), s_batch=masks),
        "inside_mass": quantus.RelevanceMassAccuracy(abs=False, normalise=False, **quiet)(
            **common, a_batch=positive.copy(), s_batch=masks
        ),
        "infidelity": quantus.Infidelity(perturb_patch_sizes=[BLOCK], n_perturb_samples=1, perturb_baseline=0.0, **quiet)(
            **common, a_batch=gradients.copy()
        ),
    }
    flipping = dict(features_in_step=4, perturb_baseline=0.0, normalise=False, abs=False, **quiet)
    curves = quantus.PixelFlipping(**flipping)(**common, a_batch=maps.copy(), softmax=True)
    areas = quantus.PixelFlipping(return_auc_per_sample=True, **flipping)(**common, a_batch=maps.copy(), softmax=True)
    scores["pixel_flipping_curve"] = curves
    scores["pixel_flipping"] = [area / (len(curve) - 1) for area, curve in zip(areas, curves)]

    noise = rng.uniform(-0.02, 0.02, (COUNT, NOISY, SIDE * SIDE))
    calls = iter(range(NOISY))

    def noisy(arr, indices, **_):
        return arr + noise[:, next(calls)]

    scores["max_sensitivity"] = quantus.MaxSensitivity(nr_samples=NOISY, perturb_func=noisy, **quiet)(
        **common, a_batch=gradients.copy(), explain_func=gradient
    )

    seen = []

    def recorded(model, inputs, targets, **kwargs):
        seen.append(gradient(model, inputs, targets))
        return seen[-1]

    test = quantus.MPRT(layer_order="top_down", seed=42, abs=True, normalise=False, **quiet)
    found = test(**common, a_batch=gradients.copy(), explain_func=recorded)
    layers = [name for name in found if name != "original"]
    scores["randomisation"] = np.mean([found[name] for name in layers], axis=0).tolist()
    randomised = np.stack(seen[-len(layers) :], axis=1)

    flat = lambda a: np.asarray(a, dtype=np.float64).reshape(-1).tolist()  # noqa: E731
    golden = {
        "quantus": quantus.__version__,
        "count": COUNT,
        "side": SIDE,
        "hidden": HIDDEN,
        "classes": CLASSES,
        "blocks": BLOCK,
        "first": flat(first),
        "second": flat(second),
        "pictures": flat(x),
        "explained": y.tolist(),
        "gradients": flat(gradients),
        "maps": flat(maps),
        "masks": [int(v) for v in flat(masks)],
        "noise": flat(noise),
        "randomised": flat(randomised),
        "scores": {name: np.asarray(values, dtype=np.float64).tolist() for name, values in scores.items()},
    }
    with open(out, "w") as file:
        json.dump(golden, file)
        file.write("\n")


main(sys.argv[1])
