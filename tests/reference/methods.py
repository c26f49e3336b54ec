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
                                     gradient, input-x-gradient, guided-backprop, lrp-epsilon, lrp-composite, deeplift
                                     [n, 3, 12, 10]; grad-cam, layer-cam, hires-cam, grad-cam++, eigen-cam [n, 1, h, w] and
                                     activation [n, channel, h, w] at the last activation with rows and columns; vbp
                                     [n, 1, 12, 10] (both classes alike, as eigen-cam and activation)
  NET.map.METHOD                     [n, 12, 10] saliency map for the predicted class: largest absolute channel for the three
                                     gradients, the sum of the channels for the others, resized with
                                     interpolate(bilinear, align_corners=False)

Relevances are of the standardized pixels, for the explained logit, with zennit's Sum in place of the additions of blocks and a
pool in place of their mean; deeplift has a black picture as baseline. Eigen-CAM's component, which has no sign, is turned to the
side of the channels' mean.

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
  gradient_shap.noise                [8, 3, 12, 10] added to the pixels; gradient_shap.baseline [8, 3, 12, 10];
  gradient_shap.share                [8] of the way from the baseline to the noisy picture
  gradient_shap.attribution          [n, 3, 12, 10] mean of (image + noise - baseline) times the gradient there
  score_cam.attribution              [n, 1, h, w] at the last activation; its masks are enlarged with align_corners=False
"""

import copy
import sys
from unittest import mock

import numpy as np
import pytorch_grad_cam as cams
import torch
import torch.nn.functional as F
from captum.attr import DeepLift, GradientShap, GuidedBackprop, InputXGradient, IntegratedGradients, LayerGradCam, Occlusion, Saliency
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection
from safetensors.numpy import save_file
from torch import Tensor, nn
from zennit.attribution import Gradient as Relevance
from zennit.composites import EpsilonPlusFlat, LayerMapComposite, layer_map_base
from zennit.layer import Sum
from zennit.rules import Epsilon
from zennit.types import Linear

CLASSES = 5
SIZE = (12, 10)
# Largest difference from Captum, over the largest value: float64 rounding; its occlusion adds up in float32.
AGREE = 1e-12
AGREE_OCCLUSION = 1e-6
# What others compute in float32.
AGREE_SINGLE = 1e-5


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
        return self.network((image - 0.5) * 4)

    def network(self, pixels: Tensor) -> Tensor:
        x = self.relu1(self.conv1(pixels))
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
        self.sum = Sum()
        self.stride, self.new = stride, (outer - inner) // 2

    def forward(self, x: Tensor) -> Tensor:
        short = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new, self.new))
        return self.relu2(self.sum(torch.stack([self.conv2(self.relu1(self.conv1(x))), short], -1)))


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.block1 = Block(4, 4, 1)
        self.block2 = Block(4, 8, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dense = nn.Linear(8, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        return self.network((image - 0.5) * 4)

    def network(self, pixels: Tensor) -> Tensor:
        x = self.block2(self.block1(self.relu1(self.conv1(pixels))))
        return self.dense(self.pool(x).flatten(1))

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


def at_layer(net: nn.Module, image: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The last layer of the trunk, and its gradient."""
    logits, seen = activations(net, image)
    (slope,) = torch.autograd.grad((logits * weights).sum(), seen[-1])
    return seen[-1].detach(), slope


def layer_cam(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    layer, slope = at_layer(net, image, weights)
    return (slope.clamp(min=0) * layer).sum(1, keepdim=True).clamp(min=0)


def hires_cam(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    layer, slope = at_layer(net, image, weights)
    return (slope * layer).sum(1, keepdim=True).clamp(min=0)


def grad_cam_plus_plus(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    layer, slope = at_layer(net, image, weights)
    alpha = slope**2 / (2 * slope**2 + layer.sum((2, 3), keepdim=True) * slope**3 + np.float32(1e-6).astype(np.float64))
    channel = (alpha * slope.clamp(min=0)).sum((2, 3), keepdim=True)
    return (channel * layer).sum(1, keepdim=True).clamp(min=0)


def eigen_cam(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    layer, _ = at_layer(net, image, weights)
    n, channels, rows, columns = layer.shape
    samples = layer.reshape(n, channels, -1).transpose(1, 2)
    samples = samples - samples.mean(1, keepdim=True)
    component = samples @ torch.linalg.svd(samples, full_matrices=False).Vh[:, :1].transpose(1, 2)
    component = component * (component * samples.sum(2, keepdim=True)).sum(1, keepdim=True).sign()
    return component.reshape(n, 1, rows, columns).clamp(min=0)


def relevance(net: nn.Module, image: Tensor, weights: Tensor, composite) -> Tensor:
    network = copy.deepcopy(net)
    network.forward = network.network
    # zennit takes the first layer from the order in which modules are registered, which is that of the pixels.
    with Relevance(network, composite, attr_output=lambda logits: logits * weights) as attributor:
        return attributor((image - 0.5) * 4)[1].detach()


def lrp_epsilon(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    return relevance(net, image, weights, LayerMapComposite(layer_map=[*layer_map_base(), (Linear, Epsilon())]))


def lrp_composite(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    return relevance(net, image, weights, EpsilonPlusFlat())


class Rescaled(torch.autograd.Function):
    """ReLU of pictures and baselines, one behind the other: the gradient by a picture is the quotient of differences."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:
        x, before = ctx.saved_tensors[0].chunk(2)
        step = x - before
        rise = x.clamp(min=0) - before.clamp(min=0)
        slope = torch.where(step.abs() > 1e-10, rise / step, (x > 0).double())
        return torch.cat([g.chunk(2)[0] * slope, torch.zeros_like(x)])


class RescaledPool(torch.autograd.Function):
    """Max pool of both: the rise goes to the winner of the larger maximum, and adds up where windows overlap."""

    @staticmethod
    def forward(ctx, x: Tensor, kernel: int, stride: int) -> Tensor:
        y, winners = F.max_pool2d(x, kernel, stride, return_indices=True)
        ctx.save_for_backward(x, y, winners)
        return y

    @staticmethod
    def backward(ctx, g: Tensor):
        x, y, winners = ctx.saved_tensors
        (x, before), (y, low), (own, other) = x.chunk(2), y.chunk(2), winners.chunk(2)
        g = g.chunk(2)[0]
        flat = lambda t: t.flatten(2)
        routed = torch.zeros_like(flat(x))
        routed.scatter_add_(2, flat(own), flat(g * (y - low).clamp(min=0)))
        routed.scatter_add_(2, flat(other), flat(g * (y - low).clamp(max=0)))
        plain = torch.zeros_like(routed).scatter_add_(2, flat(own), flat(g))
        step = flat(x - before)
        result = torch.where(step.abs() > 1e-10, routed / step, plain).reshape(x.shape)
        return torch.cat([result, torch.zeros_like(result)]), None, None


class RescaledLayer(nn.Module):
    def __init__(self, pool: nn.MaxPool2d | None = None) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        return Rescaled.apply(x) if self.pool is None else RescaledPool.apply(x, self.pool.kernel_size, self.pool.stride)


def deeplift(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    net = copy.deepcopy(net)
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, RescaledLayer())
            elif isinstance(child, nn.MaxPool2d):
                setattr(module, name, RescaledLayer(child))
    both = torch.cat([image, torch.zeros_like(image)]).requires_grad_()
    logits = net(both).chunk(2)[0]
    return image * torch.autograd.grad((logits * weights).sum(), both)[0].chunk(2)[0]


# Their maps are the largest absolute channel; those of the others are the sum of the channels.
GRADIENTS = ("gradient", "input-x-gradient", "guided-backprop")
METHODS = {
    "gradient": gradient,
    "input-x-gradient": lambda net, image, weights: image * gradient(net, image, weights),
    "guided-backprop": guided,
    "grad-cam": grad_cam,
    "vbp": lambda net, image, _: vbp(net, image),
    "layer-cam": layer_cam,
    "hires-cam": hires_cam,
    "grad-cam++": grad_cam_plus_plus,
    "eigen-cam": eigen_cam,
    "lrp-epsilon": lrp_epsilon,
    "lrp-composite": lrp_composite,
    "deeplift": deeplift,
    "activation": lambda net, image, weights: at_layer(net, image, weights)[0],
}


def saliency_map(method: str, attribution: Tensor) -> Tensor:
    if method in GRADIENTS:
        return attribution.abs().amax(1)
    return F.interpolate(attribution.sum(1, keepdim=True), size=SIZE, mode="bilinear", align_corners=False)[:, 0]


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


def gradient_shap(net: nn.Module, image: Tensor, weights: Tensor, points: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    total = torch.zeros_like(image)
    for noise, baseline, share in points:
        path = image + noise - baseline
        total += path * gradient(net, baseline + share * path, weights)
    return total / len(points)


def score_cam(net: nn.Module, image: Tensor, weights: Tensor) -> Tensor:
    layer, _ = at_layer(net, image, weights)
    masks = F.interpolate(layer, size=SIZE, mode="bilinear", align_corners=False)
    low, high = masks.amin((2, 3), keepdim=True), masks.amax((2, 3), keepdim=True)
    masks = (masks - low) / (high - low + 1e-8)
    scores = torch.stack([(net(image * masks[:, c : c + 1]) * weights).sum(1) for c in range(layer.shape[1])], 1)
    return (scores.softmax(1)[:, :, None, None] * layer).sum(1, keepdim=True).clamp(min=0)


def agree(name: str, own: Tensor, other: Tensor, level: float = AGREE) -> None:
    off = ((own - other).abs().max() / own.abs().max()).item()
    print(f"{name}: {off:.1e} from the other")
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
    if not isinstance(net, Plain):
        # Captum's max pool keeps one of two windows that overlap.
        captum = DeepLift(net).attribute(pixels, torch.zeros_like(pixels), classes)
        agree(f"{name} deeplift", deeplift(net, image, weights), captum)
    with mock.patch("numpy.random.uniform", lambda _low, _high, count: np.full(count, 0.3)):
        captum = GradientShap(net).attribute(pixels, torch.full_like(pixels[:1], 0.2), 1, 0.0, classes)
    points = [(torch.zeros_like(image), torch.full_like(image, 0.2), torch.tensor(0.3).double())]
    agree(f"{name} gradient-shap", gradient_shap(net, image, weights, points), captum)


def compare_with_grad_cam(name: str, net: nn.Module, image: Tensor, weights: Tensor) -> None:
    """The same by pytorch-grad-cam, as far as its classes can be asked without their scaling to [0, 1]."""
    layer, slope = at_layer(net, image, weights)
    a, g = layer.numpy(), slope.numpy()
    weighted = cams.LayerCAM.get_cam_image(None, image, None, None, a, g, False)
    agree(f"{name} layer-cam", layer_cam(net, image, weights)[:, 0], torch.from_numpy(weighted).clamp(min=0))
    weighted = cams.HiResCAM.get_cam_image(None, image, None, None, a, g, False)
    agree(f"{name} hires-cam", hires_cam(net, image, weights)[:, 0], torch.from_numpy(weighted).clamp(min=0))
    channel = cams.GradCAMPlusPlus.get_cam_weights(None, image, None, None, a, g)
    weighted = (channel[:, :, None, None] * a).sum(1)
    agree(f"{name} grad-cam++", grad_cam_plus_plus(net, image, weights)[:, 0], torch.from_numpy(weighted).clamp(min=0), 1e-7)
    component = torch.from_numpy(get_2d_projection(a)).double()
    side = (component * layer.sum(1)).sum((1, 2), keepdim=True) - component.mean((1, 2), keepdim=True) * layer.sum((1, 2, 3))[:, None, None]
    agree(f"{name} eigen-cam", eigen_cam(net, image, weights)[:, 0], (component * side.sign()).clamp(min=0), AGREE_SINGLE)

    class Upsampling(nn.Upsample):
        def __init__(self, size) -> None:
            super().__init__(size, mode="bilinear", align_corners=False)

    with mock.patch("torch.nn.UpsamplingBilinear2d", Upsampling):
        targets = [lambda logits, row=row: (logits * row).sum() for row in weights]
        owner = mock.Mock(device="cpu", model=net, batch_size=64)
        channel = cams.ScoreCAM.get_cam_weights(owner, image, None, targets, a, g)
    weighted = (channel[:, :, None, None] * a).sum(1)
    agree(f"{name} score-cam", score_cam(net, image, weights)[:, 0], torch.from_numpy(weighted).clamp(min=0), AGREE_SINGLE)


def seeded(net: nn.Module, rng: np.random.Generator) -> nn.Module:
    """Weights as He et al. 2015 draw them, and biases that switch some units off, rounded to float32."""
    for parameter in net.parameters():
        shape = parameter.shape
        spread = (6 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.3
        parameter.data = torch.from_numpy(rng.uniform(-spread, spread, shape).astype(np.float32)).double()
    return net


def main() -> None:
    (out,) = sys.argv[1:]
    rng, later = np.random.default_rng(1), np.random.default_rng(2)
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
            compare_with_grad_cam(f"{name} {target}", net, image, weights)
            for method, attribute in METHODS.items():
                found = attribute(net, image, weights)
                assert (found.detach().flatten(1).abs().amax(1) > 0).all(), f"{name} {target} {method} is all zeros"
                tensors[f"{name}.{target}.{method}"] = found
                if target == "predicted":
                    tensors[f"{name}.map.{method}"] = saliency_map(method, found)
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
                "score_cam.attribution": score_cam(net, image, chosen),
            }
            points = [
                [torch.from_numpy(np.asarray(values, np.float32)).double() for values in drawn]
                for drawn in zip(
                    later.normal(0, 0.1, (8, 3, *SIZE)), later.uniform(0, 1, (8, 3, *SIZE)), later.uniform(0, 1, 8)
                )
            ]
            for part, values in zip(("noise", "baseline", "share"), zip(*points)):
                tensors[f"gradient_shap.{part}"] = torch.stack(values)
            tensors["gradient_shap.attribution"] = gradient_shap(net, image, chosen, points)
    arrays = {key: value.detach().numpy().astype(np.float32).copy() for key, value in tensors.items()}
    save_file(arrays, out)


if __name__ == "__main__":
    main()
