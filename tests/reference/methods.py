"""Golden vectors of the saliency methods, from PyTorch.

usage: methods.py OUT.safetensors        (committed: python tests/reference/methods.py tests/reference/methods.safetensors)

Needs methods-requirements.txt. Everything is computed in float64 with autograd and hooks, compared with Captum where that has
the method, and stored as float32. Seeded: the same versions write the same bytes.

Two networks with five classes, for images [3, 12, 10] in [0, 1], standardized as (image - 0.5) * 4. A bias follows every
convolution; there is no batch norm.
  plain   conv1 3->4 k3 p1, relu1, max pool k3 s2, conv2 4->6 k3 s2 p1, relu2, conv3 6->8 k2, relu3, flatten, dense 16->5
  resnet  conv1 3->4 k3 p1, relu1, block1 (4->4), block2 (4->8, stride 2), global average pool, dense 8->5
          block: conv1 k3 p1 with the stride, relu1, conv2 k3 p1, plus the shortcut, relu2; the shortcut of block2 takes every
          second pixel and puts two channels of zeros before and two behind (He et al. 2016, option A)

Tensors, for NET in plain, resnet (n = 2 images):
  NET.LAYER.weight, NET.LAYER.bias   [out, in, row, column] or [out, in]; [out]
  NET.image                          [n, 3, 12, 10]
  NET.logits                         [n, 5]
  NET.chosen                         [n, 5] one-hot: a class that is not the predicted one
  NET.predicted.METHOD, NET.chosen.METHOD
                                     attribution for the predicted and for the chosen class; METHOD as saligate names it:
                                     gradient, input-x-gradient, guided-backprop [n, 3, 12, 10]; grad-cam [n, 1, h, w] at the last
                                     activation with rows and columns; vbp [n, 1, 12, 10] (both classes alike)
  NET.map.METHOD                     [n, 12, 10] saliency map for the predicted class: largest absolute channel for the three
                                     gradients; grad-cam and vbp resized with interpolate(bilinear, align_corners=False)

VisualBackProp: kernels are ones divided by their number of taps, which multiplies the published map by a constant.

Multi-pass methods, of NET plain and the class plain.chosen:
  smoothgrad.noise                   [8, 3, 12, 10] added to the pixels, the same for both images, not clipped afterwards
  smoothgrad.attribution             [n, 3, 12, 10] mean of the gradients at image + noise
  integrated_gradients.attribution   [n, 3, 12, 10] image * mean gradient at image * (i + 0.5) / 32, i = 0 ... 31; baseline zeros
  occlusion.map                      [n, 12, 10] windows of 4 x 4 pixels every 2 pixels set to 0 in all channels; per pixel the mean,
                                     over the windows that cover it, of the drop of the chosen logit
  rise.masks                         [16, 12, 10] in [0, 1]
  rise.map                           [n, 12, 10] sum_k p_k mask_k / sum_k mask_k, where p_k is the softmax probability of the chosen
                                     class for image * mask_k: the sum over 16 times the mean mask of that pixel
"""

import copy
import sys

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import GuidedBackprop, InputXGradient, IntegratedGradients, LayerGradCam, Occlusion, Saliency
from safetensors.numpy import save_file
from torch import Tensor, nn

CLASSES = 5
SIZE = (12, 10)
# Largest difference from Captum, over the largest value: float64 rounding; its occlusion adds up in float32.
AGREE = 1e-12
AGREE_OCCLUSION = 1e-6


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2)
        self.conv2 = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(6, 8, 2)
        self.relu3 = nn.ReLU()
        self.dense = nn.Linear(16, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu1(self.conv1((image - 0.5) * 4))
        x = self.relu2(self.conv2(self.pool(x)))
        return self.dense(self.relu3(self.conv3(x)).flatten(1))

    def trunk(self) -> list[nn.Module]:
        return [self.relu1, self.relu2, self.relu3]

    # Kernel, stride and padding of the windows between the layers of the trunk, first to last.
    windows = [[(3, 2, 0), (3, 2, 1)], [(2, 1, 0)]]


class Block(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride=stride, padding=1)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.stride, self.new = stride, (outer - inner) // 2

    def forward(self, x: Tensor) -> Tensor:
        short = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new, self.new))
        return self.relu2(self.conv2(self.relu1(self.conv1(x))) + short)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.block1 = Block(4, 4, 1)
        self.block2 = Block(4, 8, 2)
        self.dense = nn.Linear(8, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        x = self.block2(self.block1(self.relu1(self.conv1((image - 0.5) * 4))))
        return self.dense(x.mean((2, 3)))

    def trunk(self) -> list[nn.Module]:
        return [self.relu1, self.block1.relu2, self.block2.relu2]

    windows = [[(3, 1, 1), (3, 1, 1)], [(3, 2, 1), (3, 1, 1)]]


class GuidedRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        y = x.clamp(min=0)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.where((y > 0) & (g > 0), g, torch.zeros_like(g))


class Guided(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return GuidedRelu.apply(x)


def activations(net: nn.Module, image: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits, and the results of the trunk, each attached to the autograd graph."""
    seen: list[Tensor] = []
    hooks = [layer.register_forward_hook(lambda _m, _i, y: seen.append(y)) for layer in net.trunk()]
    logits = net(image)
    for hook in hooks:
        hook.remove()
    return logits, seen


def gradient(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    image = image.clone().requires_grad_()
    return torch.autograd.grad((net(image) * weights).sum(), image)[0]


def guided(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    net = copy.deepcopy(net)
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, Guided())
    return gradient(net, image, weights)


def grad_cam(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    logits, seen = activations(net, image)
    (slope,) = torch.autograd.grad((logits * weights).sum(), seen[-1])
    alpha = slope.mean((2, 3), keepdim=True)
    return (alpha * seen[-1]).sum(1, keepdim=True).clamp(min=0)


def vbp(net: nn.Module, image: Tensor, ones: bool = False) -> Tensor:
    _, seen = activations(net, image)
    means = [layer.mean(1, keepdim=True) for layer in seen]
    result = means[-1]
    for layer in reversed(range(len(net.windows))):
        sizes = [means[layer].shape[2:]]
        for kernel, stride, pad in net.windows[layer]:
            sizes.append([(side + 2 * pad - kernel) // stride + 1 for side in sizes[-1]])
        for (kernel, stride, pad), wanted, found in reversed(list(zip(net.windows[layer], sizes, sizes[1:]))):
            weight = torch.ones(1, 1, kernel, kernel, dtype=image.dtype)
            rest = [w - ((f - 1) * stride - 2 * pad + kernel) for w, f in zip(wanted, found)]
            result = F.conv_transpose2d(result, weight if ones else weight / kernel**2, None, stride, pad, rest)
        result = means[layer] * result
    return result


METHODS = {
    "gradient": gradient,
    "input-x-gradient": lambda net, image, weights: image * gradient(net, image, weights),
    "guided-backprop": guided,
    "grad-cam": grad_cam,
    "vbp": lambda net, image, _: vbp(net, image),
}


def saliency_map(attribution: Tensor) -> Tensor:
    if attribution.shape[1] == 1:
        return F.interpolate(attribution, size=SIZE, mode="bilinear", align_corners=False)[:, 0]
    return attribution.abs().amax(1)


def integrated_gradients(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    steps = [gradient(net, image * (i + 0.5) / 32, weights) for i in range(32)]
    return image * torch.stack(steps).mean(0)


def occlusion(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    before = (net(image) * weights).sum(1)
    drops = torch.zeros(len(image), *SIZE, dtype=image.dtype)
    cover = torch.zeros(SIZE, dtype=image.dtype)
    for row in range(0, SIZE[0] - 3, 2):
        for column in range(0, SIZE[1] - 3, 2):
            window = (slice(row, row + 4), slice(column, column + 4))
            covered = image.clone()
            covered[:, :, window[0], window[1]] = 0
            drop = before - (net(covered) * weights).sum(1)
            drops[:, window[0], window[1]] += drop[:, None, None]
            cover[window] += 1
    return drops / cover


def rise(net: nn.Module, image: Tensor, weights: Tensor, masks: Tensor) -> Tensor:
    total = torch.zeros(len(image), *SIZE, dtype=image.dtype)
    for mask in masks:
        share = (net(image * mask).softmax(1) * weights).sum(1)
        total += share[:, None, None] * mask
    return total / (len(masks) * masks.mean(0))


def agree(name: str, own: Tensor, other: Tensor, level: float = AGREE) -> None:
    off = ((own - other).abs().max() / own.abs().max()).item()
    print(f"{name}: {off:.1e} from Captum")
    assert off <= level, name


def compare_with_captum(name: str, net: nn.Module, image: Tensor, weights: Tensor) -> None:
    classes = weights.argmax(1)
    pixels = image.clone().requires_grad_()
    agree(f"{name} gradient", gradient(net, image, weights), Saliency(net).attribute(pixels, classes, abs=False))
    own = METHODS["input-x-gradient"](net, image, weights)
    agree(f"{name} input-x-gradient", own, InputXGradient(net).attribute(pixels, classes))
    agree(f"{name} guided-backprop", guided(net, image, weights), GuidedBackprop(net).attribute(pixels, classes))
    cam = LayerGradCam(net, net.trunk()[-1]).attribute(image, classes, relu_attributions=True)
    agree(f"{name} grad-cam", grad_cam(net, image, weights), cam)
    captum = IntegratedGradients(net).attribute(image, target=classes, n_steps=32, method="riemann_middle")
    agree(f"{name} integrated gradients", integrated_gradients(net, image, weights), captum)
    captum = Occlusion(net).attribute(image, (3, 4, 4), (3, 2, 2), target=classes)
    agree(f"{name} occlusion", occlusion(net, image, weights), captum[:, 0], AGREE_OCCLUSION)


def seeded(net: nn.Module, rng: np.random.Generator) -> nn.Module:
    """Weights as He et al. 2015 draw them, and biases that switch some units off, rounded to float32."""
    for parameter in net.parameters():
        shape = parameter.shape
        spread = (6 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.3
        parameter.data = torch.from_numpy(rng.uniform(-spread, spread, shape).astype(np.float32)).double()
    return net


def main() -> None:
    (out,) = sys.argv[1:]
    rng = np.random.default_rng(1)
    tensors: dict[str, Tensor] = {}
    for name, make in (("plain", Plain), ("resnet", ResNet)):
        net = seeded(make(), rng)
        bytes_ = rng.integers(0, 256, (2, 3, *SIZE))
        image = torch.from_numpy((bytes_ / 255).astype(np.float32)).double()
        logits = net(image).detach()
        best = logits.argmax(1)
        predicted = F.one_hot(best, CLASSES).double()
        chosen = F.one_hot((best + torch.tensor([1, 3])) % CLASSES, CLASSES).double()
        tensors |= {f"{name}.{key}": value for key, value in net.state_dict().items()}
        tensors |= {f"{name}.image": image, f"{name}.logits": logits, f"{name}.chosen": chosen}
        for target, weights in (("predicted", predicted), ("chosen", chosen)):
            compare_with_captum(f"{name} {target}", net, image, weights)
            for method, attribute in METHODS.items():
                found = attribute(net, image, weights)
                assert (found.detach().flatten(1).abs().amax(1) > 0).all(), f"{name} {target} {method} is all zeros"
                tensors[f"{name}.{target}.{method}"] = found
                if target == "predicted":
                    tensors[f"{name}.map.{method}"] = saliency_map(found)
        published, ours = vbp(net, image, ones=True), vbp(net, image)
        factor = np.prod([kernel**2 for step in net.windows for kernel, _, _ in step])
        assert torch.allclose(published, ours * factor, rtol=1e-12, atol=0)
        if name == "plain":
            noise = torch.from_numpy(rng.normal(0, 0.1, (8, 3, *SIZE)).astype(np.float32)).double()
            masks = torch.from_numpy(rng.uniform(0, 1, (16, *SIZE)).astype(np.float32)).double()
            smooth = torch.stack([gradient(net, image + n, chosen) for n in noise]).mean(0)
            tensors |= {
                "smoothgrad.noise": noise,
                "smoothgrad.attribution": smooth,
                "integrated_gradients.attribution": integrated_gradients(net, image, chosen),
                "occlusion.map": occlusion(net, image, chosen),
                "rise.masks": masks,
                "rise.map": rise(net, image, chosen, masks),
            }
    arrays = {key: value.detach().numpy().astype(np.float32).copy() for key, value in tensors.items()}
    save_file(arrays, out)


if __name__ == "__main__":
    main()
