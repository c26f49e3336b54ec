"""Golden vectors of the zoo's networks, from torchvision.

usage: zoo.py WEIGHTS_DIR OUT.safetensors

    cargo build --release --workspace --examples
    target/release/examples/zoo weights DIR            (600 MB)
    python tests/reference/zoo.py DIR tests/reference/zoo.safetensors

Needs zoo-requirements.txt. WEIGHTS_DIR/NET.safetensors holds what saligate draws for a network: its parameters and running
statistics under torchvision's names, and beside them image [1, channel, row, column] in [0, 1], pixels.mean and pixels.scale
[1, channel, 1, 1]: the network reads (image - mean) * scale. The weights must be those of the network here, name by name and
shape by shape, but for num_batches_tracked.

The networks are torchvision's, in evaluation mode, with ten classes. Where the map before the dense layers of VGG is smaller than
7 x 7, it goes into the first dense layer as it is, which has so many inputs. Not in torchvision, and defined here: lenet5, the
CIFAR ResNets resnet20 and resnet56 (He et al. 2016, section 4.2, option A), and squeezenet1_1-caffe, which pads its last
convolution by one pixel and reads the channels in reverse order (B, G, R).

Everything is computed in float64 with autograd and hooks, for the predicted class, and stored as float32. Tensors, for every NET:
  NET.logits      [10]
  NET.gradient    every 13th value of the flat gradient by the image
  NET.grad-cam    [row, column] at the last layer of trunk()
  NET.vbp         [row, column] through all layers of trunk(), with kernels of ones divided by their number of taps
"""

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from safetensors.numpy import save_file
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.ops.misc import Conv2dNormActivation

CLASSES = 10
STEP = 13
TORCHVISION = ["alexnet", "vgg11", "vgg16", "resnet18", "resnet34", "resnet50", "squeezenet1_1", "mobilenet_v2"]
TORCHVISION += ["mobilenet_v3_small", "densenet121", "efficientnet_b0"]
NETS = ["lenet5", "resnet20", "resnet56", "squeezenet1_1-caffe", *TORCHVISION]


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.pool1, self.pool2 = nn.MaxPool2d(2), nn.MaxPool2d(2)
        self.fc1, self.fc2, self.fc3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(self.relu1(self.conv1(x)))
        x = self.pool2(self.relu2(self.conv2(x))).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class CifarBlock(nn.Module):
    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.stride, self.new = stride, (outer - inner) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new, self.new)))


class CifarResNet(nn.Module):
    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu1 = nn.ReLU()
        inner = 16
        for stage, outer in enumerate([16, 32, 64], 1):
            blocks = [CifarBlock(outer if i else inner, outer, 2 if stage > 1 and not i else 1) for i in range(depth)]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
            inner = outer
        self.linear = nn.Linear(64, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.relu1(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))


class CaffeSqueezeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.squeezenet import Fire

        self.conv1, self.relu_conv1 = nn.Conv2d(3, 64, 3, 2), nn.ReLU()
        inner = 64
        for i in range(2, 10):
            squeezed = 16 * (i // 2)
            setattr(self, f"fire{i}", Fire(inner, squeezed, 4 * squeezed, 4 * squeezed))
            inner = 8 * squeezed
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv10 = nn.Conv2d(512, CLASSES, 1, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu_conv1(self.conv1(x.flip(1)))
        for i in range(2, 10):
            x = getattr(self, f"fire{i}")(self.pool(x) if i in (2, 4, 6) else x)
        return F.relu(self.conv10(x)).mean((2, 3))


def build(name: str, weights: dict[str, Tensor]) -> nn.Module:
    if name == "lenet5":
        return LeNet()
    if name in ("resnet20", "resnet56"):
        return CifarResNet((int(name[6:]) - 2) // 6)
    if name == "squeezenet1_1-caffe":
        return CaffeSqueezeNet()
    net = torchvision.models.get_model(name, weights=None, num_classes=CLASSES)
    if name.startswith("vgg"):
        net.avgpool = nn.Identity()
        net.classifier[0] = nn.Linear(weights["classifier.0.weight"].shape[1], 4096)
    if name == "densenet121":
        # torchvision calls a function behind norm5, which no hook sees; here it is a module.
        net.features.add_module("relu5", nn.ReLU())
        net.forward = lambda x: net.classifier(net.features(x).mean((2, 3)))
    return net


def inverted_residuals(net: nn.Module) -> list[str]:
    """The stem, all activations of the blocks without a sum, and the last convolution's."""
    names = ["features.0"]
    for block_name, block in net.features.named_modules():
        if getattr(block, "use_res_connect", True):
            continue
        inside = [n for n, m in block.named_modules() if isinstance(m, Conv2dNormActivation) and len(m) == 3]
        names += [f"features.{block_name}.{n}" for n in inside]
    return [*names, f"features.{len(net.features) - 1}"]


def squeezed_and_whole(fires: Iterable[str]) -> list[str]:
    return [layer for fire in fires for layer in (f"{fire}.squeeze_activation", fire)]


def trunk(name: str, net: nn.Module) -> list[str]:
    """The modules whose results lie on every path and are activations, or concatenations of them."""
    if name in ("alexnet", "vgg11", "vgg16"):
        return [f"features.{i}" for i, m in enumerate(net.features) if isinstance(m, nn.ReLU)]
    if name.startswith("resnet"):
        stages = [n for n in ("layer1", "layer2", "layer3", "layer4") if hasattr(net, n)]
        stem = "relu" if hasattr(net, "relu") else "relu1"
        return [stem, *(f"{stage}.{i}" for stage in stages for i in range(len(getattr(net, stage))))]
    if name == "squeezenet1_1":
        return ["features.1", *squeezed_and_whole(f"features.{i}" for i in (3, 4, 6, 7, 9, 10, 11, 12))]
    if name == "squeezenet1_1-caffe":
        return ["relu_conv1", *squeezed_and_whole(f"fire{i}" for i in range(2, 10))]
    if name == "densenet121":
        return ["features.relu0", *(f"features.transition{i}.relu" for i in (1, 2, 3)), "features.relu5"]
    if name == "lenet5":
        return ["relu1", "relu2"]
    return inverted_residuals(net)


def beside(name: str) -> bool:
    """Whether the windows of a module lie beside the way back: on a shorter path, or on the later of two equal ones."""
    return "downsample" in name or ".fc" in name or "expand3x3" in name


class Watch:
    """Runs a network and keeps the results of some modules, and the windows between them."""

    def __init__(self, net: nn.Module, layers: list[str], x: Tensor) -> None:
        self.maps: list[Tensor] = []
        # Before layer l: module, size before it, in computing order.
        self.windows: list[list[tuple[nn.Module, torch.Size]]] = [[]]
        modules = dict(net.named_modules())
        hooks = []
        for name, module in modules.items():
            if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)) and not beside(name):
                hooks.append(module.register_forward_hook(self.window))
        for name in layers:
            hooks.append(modules[name].register_forward_hook(self.layer))
        self.logits = net(x)
        for hook in hooks:
            hook.remove()

    def window(self, module: nn.Module, operands: tuple[Tensor], _result: Tensor) -> None:
        self.windows[-1].append((module, operands[0].shape[2:]))

    def layer(self, _module: nn.Module, _operands: tuple[Tensor], result: Tensor) -> None:
        self.maps.append(result)
        self.windows.append([])


def single(value: int | tuple[int, int]) -> int:
    return value if isinstance(value, int) else value[0]


def up(result: Tensor, module: nn.Module, size: torch.Size) -> Tensor:
    kernel, stride, pad = (single(v) for v in (module.kernel_size, module.stride, module.padding))
    weight = torch.full((1, 1, kernel, kernel), kernel**-2.0, dtype=result.dtype)
    full = F.conv_transpose2d(result, weight, stride=stride)
    rows, columns = (max(pad + side - have, 0) for side, have in zip(size, full.shape[2:]))
    full = F.pad(full, (0, columns, 0, rows))
    return full[:, :, pad : pad + size[0], pad : pad + size[1]]


def vbp(watch: Watch) -> Tensor:
    means = [layer.mean(1, keepdim=True) for layer in watch.maps]
    result = means[-1]
    for layer in reversed(range(len(means) - 1)):
        for module, size in reversed(watch.windows[layer + 1]):
            result = up(result, module, size)
        result = means[layer] * result
    return result


def main() -> None:
    folder, out = Path(sys.argv[1]), sys.argv[2]
    tensors: dict[str, Tensor] = {}
    for name in NETS:
        weights = load_file(folder / f"{name}.safetensors")
        image, mean, scale = (weights.pop(key).double() for key in ("image", "pixels.mean", "pixels.scale"))
        net = build(name, weights).eval()
        own = {key for key in net.state_dict() if not key.endswith("num_batches_tracked")}
        assert own == set(weights), f"{name}: {own ^ set(weights)}"
        net.load_state_dict(weights)
        net.double()
        for module in net.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
        image.requires_grad_()
        watch = Watch(net, trunk(name, net), (image - mean) * scale)
        best = watch.logits[0].max()
        last = watch.maps[-1]
        gradient, slope = torch.autograd.grad(best, [image, last])
        cam = (slope.mean((2, 3), keepdim=True) * last).sum(1).clamp(min=0)
        two = watch.logits[0].topk(2).values
        print(f"{name}: logits {two[0]:.3g} and {two[1]:.3g}, gradient up to {gradient.abs().max():.1e}")
        tensors |= {
            f"{name}.logits": watch.logits[0],
            f"{name}.gradient": gradient.flatten()[::STEP],
            f"{name}.grad-cam": cam[0],
            f"{name}.vbp": vbp(watch)[0, 0],
        }
    assert all(value.abs().max() < 1e30 for value in tensors.values()), "beyond 32-bit floats"
    arrays = {key: value.detach().numpy().astype(np.float32).copy() for key, value in tensors.items()}
    save_file(arrays, out)


if __name__ == "__main__":
    main()
