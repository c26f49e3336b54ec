"""A small vision transformer with its attention maps, from PyTorch.

usage: attention.py OUT    (committed: python tests/reference/attention.py tests/reference/attention)

Needs exports-requirements.txt. Writes OUT.onnx, a transformer of timm with a class token (image [n, 3, 24, 24], patches of 8 x 8,
24 features, 3 heads, 3 blocks, 5 classes, seed 0), and OUT.safetensors, computed in float64 and stored as float32:

  image               [3, 24, 24] in [0, 1], whole bytes over 255
  attention-rollout   [3, 3]      after Abnar and Zuidema 2020
  gradient-attention  [3, 3]      after Chefer, Gur and Wolf 2021, for class 2
  grad-cam            [3, 3]      of the patches' features behind the last block but one, for class 2
"""

import sys

import numpy as np

import torch
from safetensors.numpy import save_file
from timm.layers import set_fused_attn
from timm.models.vision_transformer import VisionTransformer

CLASS = 2


def main() -> None:
    (out,) = sys.argv[1:]
    set_fused_attn(False)
    torch.manual_seed(0)
    net = VisionTransformer(img_size=24, patch_size=8, embed_dim=24, depth=3, num_heads=3, num_classes=5).eval()
    for parameter in net.parameters():
        # Larger than at the start of a training, so that attention is paid to something.
        parameter.data = parameter.data + 0.25 * torch.randn_like(parameter)
    rng = np.random.default_rng(1)
    image = torch.from_numpy((rng.integers(0, 256, (1, 3, 24, 24)) / 255).astype(np.float32))
    torch.onnx.export(net, (image,), f"{out}.onnx", input_names=["image"], output_names=["scores"], opset_version=17, dynamo=False)

    net = net.double()
    seen: list[torch.Tensor] = []
    for block in net.blocks:
        # The dropout behind the softmax does nothing, and sees the attention.
        block.attn.attn_drop.register_forward_hook(lambda _m, _i, y: seen.append(y))
    features: list[torch.Tensor] = []
    net.blocks[-2].register_forward_hook(lambda _m, _i, y: features.append(y))
    scores = net(image.double())
    *slopes, slope = torch.autograd.grad(scores[0, CLASS], [*seen, *features])
    patches, weights = features[0][0, 1:], slope[0, 1:].mean(0)
    identity = torch.eye(seen[0].shape[-1], dtype=torch.float64)
    rollout, relevance = identity, identity
    for maps, slope in zip(seen, slopes):
        rollout = (maps[0].mean(0) + identity) / 2 @ rollout
        relevance = relevance + (maps * slope)[0].clamp(min=0).mean(0) @ relevance
    found = {
        "image": image[0],
        "attention-rollout": rollout[0, 1:].reshape(3, 3),
        "gradient-attention": relevance[0, 1:].reshape(3, 3),
        "grad-cam": (patches @ weights).clamp(min=0).reshape(3, 3),
    }
    save_file({name: value.detach().numpy().astype(np.float32).copy() for name, value in found.items()}, f"{out}.safetensors")


if __name__ == "__main__":
    main()
