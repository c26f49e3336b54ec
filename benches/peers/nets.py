"""The networks of docs/performance.md, with random weights, as PyTorch modules.

Random weights take as long as trained ones. Batch norms get statistics of their own, so that they
cannot be left out.
"""

import torch
from torch import nn
import torchvision


def small():
    """The small CNN of the zoo: four convolutions, three dense layers, 28 x 28 grey."""
    layers, channels = [], 1
    for width, stride in zip([16, 32, 32, 64], [1, 2, 1, 2]):
        layers += [nn.Conv2d(channels, width, 3, stride, 1), nn.ReLU()]
        channels = width
    dense = [nn.Flatten(), nn.Linear(64 * 49, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU()]
    return nn.Sequential(*layers, *dense, nn.Linear(64, 10))


class Block(nn.Module):
    """A residual block with the parameter-free shortcut of the CIFAR networks."""

    def __init__(self, inner, outer, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.relu1, self.relu2 = nn.ReLU(), nn.ReLU()
        self.stride, self.added = stride, outer - inner

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        if self.stride > 1:
            half = self.added // 2
            x = nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, half, half))
        return self.relu2(y + x)


def resnet20():
    layers, inner = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for outer in [16, 32, 64]:
        for number in range(3):
            layers.append(Block(inner, outer, 2 if number == 0 and outer > 16 else 1))
            inner = outer
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*layers, *head)


def of_timm(name):
    import timm

    return timm.create_model(name)


# name, constructor, image, layer that Grad-CAM reads (none where its package would need to be told how tokens lie)
NETS = [
    ("small", small, (1, 28, 28), lambda net: net[7]),
    ("resnet20", resnet20, (3, 32, 32), lambda net: net[11]),
    ("squeezenet1_1", lambda: torchvision.models.squeezenet1_1(), (3, 224, 224),
     lambda net: net.features[-1]),
    ("resnet18", lambda: torchvision.models.resnet18(), (3, 224, 224), lambda net: net.layer4),
    ("mobilenet_v2", lambda: torchvision.models.mobilenet_v2(), (3, 224, 224),
     lambda net: net.features[-1]),
    ("vit_tiny", lambda: of_timm("vit_tiny_patch16_224"), (3, 224, 224), None),
    ("convnext_atto", lambda: of_timm("convnext_atto"), (3, 224, 224), lambda net: net.stages[-1]),
    ("swin_tiny", lambda: of_timm("swin_tiny_patch4_window7_224"), (3, 224, 224), None),
]


def build(constructor):
    torch.manual_seed(0)
    net = constructor()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
        # In place, a ReLU would overwrite what Captum's hooks keep.
        if isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.inplace = False
    return net.eval()
