"""Records PyTorch's layers and losses: values, gradients of inputs and parameters. Writes, under tests/peers/parity/:

    layers.safetensors     layers, by the names in LAYERS: NAME.x, NAME.g (the cotangent), NAME.y, NAME.dx, grad.NAME.weight, ...
    bags.safetensors       embedding with padding, embedding bags
    losses.safetensors     losses: NAME.a, NAME.b, ... (inputs), NAME.y, NAME.da, NAME.db, ...

    python parity_layers.py

What PyTorch has no layer for (Maxout, APL, PAU, ArcFace, CosFace, NT-Xent, Dice, ...) is written out here by its definition.
"""

import math

import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from parity import filled, record, uniform

# ---- layers ----


class Maxout(nn.Module):
    def forward(self, x):
        n, c, *rest = x.shape
        return x.view(n, c // 3, 3, *rest).amax(2)


class Apl(nn.Module):
    """Agostinelli et al. 2014, equation 1; hinges for each channel."""

    def __init__(self):
        super().__init__()
        self.slope, self.offset = nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.zeros(3, 4))

    def forward(self, x):
        a, b = self.slope.view(3, 1, 4, 1, 1), self.offset.view(3, 1, 4, 1, 1)
        return F.relu(x) + (a * F.relu(b - x)).sum(0)


class Pau(nn.Module):
    """Molina et al. 2020; the denominator of the authors' version A."""

    def __init__(self):
        super().__init__()
        self.weight_numerator, self.weight_denominator = nn.Parameter(torch.zeros(6)), nn.Parameter(torch.zeros(4))

    def forward(self, x):
        above = sum(a * x**j for j, a in enumerate(self.weight_numerator))
        return above / (1 + sum((b * x ** (k + 1)).abs() for k, b in enumerate(self.weight_denominator)))


class Face(nn.Module):
    """ArcFace by its angles, with the authors' continuation beyond pi; CosFace."""

    def __init__(self, margin, angular):
        super().__init__()
        self.weight, self.margin, self.angular = nn.Parameter(torch.zeros(5, 4)), margin, angular

    def forward(self, x, target=torch.tensor([4, 0, 2])):
        cos = F.linear(F.normalize(x), F.normalize(self.weight))
        m = self.margin
        if self.angular:
            theta = torch.acos(cos)
            right = torch.where(theta + m < math.pi, torch.cos(theta + m), cos - m * math.sin(m))
        else:
            right = cos - m
        return 16 * torch.where(F.one_hot(target, 5).bool(), right, cos)


# Name, layer, input shape.
LAYERS = [
    ("conv1d", nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2), (2, 4, 11)),
    ("conv1d_plain", nn.Conv1d(3, 2, 5, bias=False), (2, 3, 8)),
    ("max_pool1d", nn.MaxPool1d(3, stride=2, padding=1, ceil_mode=True), (2, 3, 8)),
    ("avg_pool1d", nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False), (2, 3, 8)),
    ("adaptive_avg_pool1d", nn.AdaptiveAvgPool1d(3), (2, 3, 7)),
    ("conv_transpose2d", nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=1, output_padding=(1, 2), groups=2), (2, 4, 3, 4)),
    ("conv_transpose2d_dilated", nn.ConvTranspose2d(2, 3, 3, stride=2, dilation=3, output_padding=2, bias=False), (1, 2, 3, 3)),
    ("conv_transpose1d", nn.ConvTranspose1d(4, 2, 4, stride=2, padding=1, output_padding=1, groups=2), (2, 4, 5)),
    ("nearest", nn.Upsample(scale_factor=2), (1, 2, 3, 4)),
    ("nearest_size", nn.Upsample(size=(5, 3)), (1, 2, 3, 4)),
    ("bilinear", nn.Upsample(scale_factor=2, mode="bilinear"), (1, 2, 3, 4)),
    ("bilinear_aligned", nn.Upsample(scale_factor=(1.7, 2.4), mode="bilinear", align_corners=True), (1, 2, 3, 4)),
    ("linear_up", nn.Upsample(size=9, mode="linear"), (2, 2, 5)),
    ("group_norm", nn.GroupNorm(3, 6), (2, 6, 3, 4)),
    ("group_norm_plain", nn.GroupNorm(2, 4, eps=1e-3, affine=False), (2, 4, 5)),
    ("instance_norm2d", nn.InstanceNorm2d(3, affine=True, track_running_stats=True, momentum=0.3), (2, 3, 3, 4)),
    ("instance_norm1d", nn.InstanceNorm1d(3), (2, 3, 5)),
    ("rms_norm", nn.RMSNorm([3, 4], eps=1e-3), (2, 5, 3, 4)),
    ("rms_norm_plain", nn.RMSNorm(6, elementwise_affine=False), (3, 6)),
    ("local_response_norm", nn.LocalResponseNorm(5, alpha=0.7, beta=0.75, k=2.0), (2, 7, 3, 2)),
    ("local_response_norm_even", nn.LocalResponseNorm(4, alpha=0.9), (2, 6, 5)),
    ("prelu", nn.PReLU(), (3, 7)),
    ("prelu_channels", nn.PReLU(4), (2, 4, 3, 2)),
    ("max_pool2d", nn.MaxPool2d(3, stride=2, ceil_mode=True), (2, 2, 6, 8)),
    ("flatten", nn.Flatten(2, 3), (2, 3, 4, 2)),
    ("pixel_shuffle", nn.PixelShuffle(2), (1, 8, 2, 3)),
    ("pixel_unshuffle", nn.PixelUnshuffle(2), (1, 2, 4, 6)),
    ("zero_pad2d", nn.ZeroPad2d((1, 2, 0, 3)), (1, 2, 3, 2)),
    ("maxout", Maxout(), (2, 6, 2, 2)),
    ("apl", Apl(), (2, 4, 3, 2)),
    ("pau", Pau(), (5, 7)),
    ("arc_face", Face(0.5, True), (3, 4)),
    ("arc_face_wide", Face(2.0, True), (3, 4)),
    ("cos_face", Face(0.35, False), (3, 4)),
]


def layers():
    model = filled(nn.ModuleDict({name: layer for name, layer, _ in LAYERS}))
    tensors = {}
    for name, _, shape in LAYERS:
        x = (2 * uniform(f"{name}.x", shape)).requires_grad_()
        y = model[name](x)
        g = uniform(f"{name}.g", y.shape)
        (y * g).sum().backward()
        tensors |= {f"{name}.x": x, f"{name}.g": g, f"{name}.y": y, f"{name}.dx": x.grad}
    # What the pass in training left, and the pass in evaluation.
    norm, x = model["instance_norm2d"], tensors["instance_norm2d.x"]
    tensors |= {"running_mean": norm.running_mean.clone(), "running_var": norm.running_var.clone()}
    tensors["evaluation"] = norm.eval()(x)
    record("layers", model, tensors, [name for name, _ in model.named_parameters()])


# ---- bags ----


def bags():
    index, offsets = torch.tensor([2, 0, 2, 1, 3, 3, 4, 0]), torch.tensor([0, 3, 3, 7])
    model = {"embedding": nn.Embedding(5, 3, padding_idx=2)}
    for mode in ["sum", "mean", "max"]:
        model[mode] = nn.EmbeddingBag(5, 3, mode=mode)
        model[f"{mode}_padded"] = nn.EmbeddingBag(5, 3, mode=mode, padding_idx=3)
    model["weighted"], model["rows"] = nn.EmbeddingBag(5, 3, mode="sum"), nn.EmbeddingBag(5, 3)
    model = filled(nn.ModuleDict(model))
    weights = uniform("weights", (8,)).requires_grad_()
    outputs = {
        "embedding": lambda layer: layer(index),
        "weighted": lambda layer: layer(index, offsets, weights),
        "rows": lambda layer: layer(index.view(2, 4)),
    }
    tensors = {"index": index, "offsets": offsets, "weights": weights}
    for name, layer in model.items():
        y = outputs.get(name, lambda layer: layer(index, offsets))(layer)
        g = uniform(f"{name}.g", y.shape)
        (y * g).sum().backward()
        tensors |= {f"{name}.g": g, f"{name}.y": y}
    tensors["dweights"] = weights.grad
    record("bags", model, tensors, [name for name, _ in model.named_parameters()])


# ---- losses ----


def batch_hard(x, classes=torch.tensor([0, 1, 0, 2, 1, 1])):
    """Hermans et al. 2017, equation 5, by its loops; one sample is alone in its class."""
    losses = []
    for i, c in enumerate(classes):
        distance = lambda keep: [(x[i] - x[j]).norm() for j, d in enumerate(classes) if j != i and keep(d == c)]
        near, far = distance(lambda same: same), distance(lambda same: not same)
        if near and far:
            losses.append((max(near) - min(far) + 0.4).clamp(min=0))
    return torch.stack(losses).mean()


def nt_xent(a, b):
    """Chen et al. 2020, equation 1, by its loops."""
    z = F.normalize(torch.cat([a, b]))
    s, n, total = z @ z.T / 0.2, len(a), 0
    for i in range(2 * n):
        others = torch.stack([s[i, k] for k in range(2 * n) if k != i])
        total = total + torch.logsumexp(others, 0) - s[i, (i + n) % (2 * n)]
    return total / (2 * n)


def contrastive(a, b, similar=torch.tensor([1.0, 0, 0, 1, 0]).double()):
    """Hadsell et al. 2006, equation 4."""
    distance = (a - b).norm(dim=1)
    return (0.5 * similar * distance**2 + 0.5 * (1 - similar) * (1.2 - distance).clamp(min=0) ** 2).mean()


def dice(p, batch=False, target=torch.tensor([[[2, 0, 1], [-100, 1, 1]], [[0, 0, -100], [1, 0, 0]]])):
    p = p.abs()
    counted = (target >= 0).unsqueeze(1)
    masks = F.one_hot(target.clamp(min=0), 3).permute(0, 3, 1, 2) * counted
    axes = (0, 2, 3) if batch else (2, 3)
    both, p = (p * masks).sum(axes), (p * counted).sum(axes)
    return (1 - (2 * both + 0.5) / (p + masks.sum(axes) + 0.5)).mean()


def boxes(name, count):
    corner, size = uniform(name, (count, 2)), 0.3 + uniform(name + "s", (count, 2)).abs()
    return torch.cat([corner, corner + size], 1)


def losses():
    signs = torch.tensor([1.0, -1, -1, 1, -1]).double()
    logits, labels = 4 * uniform("logits", (4, 3)), (uniform("labels", (4, 3)) > 0).double()
    pair, boxed = [uniform("a", (5, 4)), uniform("b", (5, 4))], [boxes("box", 8), boxes("box'", 8)]
    focal = torchvision.ops.sigmoid_focal_loss
    triple = [*pair, uniform("c", (5, 4))]
    cases = {
        "triplet": (nn.TripletMarginLoss(), triple),
        "triplet_swap": (nn.TripletMarginLoss(0.5, p=3, swap=True, reduction="none"), triple),
        "triplet_p1": (nn.TripletMarginLoss(2.0, p=1, reduction="sum"), triple),
        "batch_hard": (batch_hard, [uniform("hard", (6, 4))]),
        "contrastive": (contrastive, pair),
        "nt_xent": (nt_xent, pair),
        "cosine_embedding": (lambda a, b: F.cosine_embedding_loss(a, b, signs, 0.2), pair),
        "margin_ranking": (lambda a, b: F.margin_ranking_loss(a, b, signs, 0.3, reduction="sum"), [x[:, 0] for x in pair]),
        "smooth_l1": (nn.SmoothL1Loss(beta=0.7), pair),
        "smooth_l1_line": (nn.SmoothL1Loss(beta=0.0, reduction="none"), pair),
        "focal": (lambda x: focal(x, labels, reduction="none"), [logits]),
        "focal_unweighted": (lambda x: focal(x, labels, alpha=-1, gamma=1.5, reduction="mean"), [logits]),
        "dice": (dice, [uniform("dice", (2, 3, 2, 3))]),
        "dice_batch": (lambda p: dice(p, True), [uniform("dice", (2, 3, 2, 3))]),
        "giou": (lambda a, b: torchvision.ops.generalized_box_iou_loss(a, b), boxed),
        "diou": (lambda a, b: torchvision.ops.distance_box_iou_loss(a, b, reduction="mean"), boxed),
    }
    tensors = {"signs": signs, "labels": labels}
    for name, (loss, inputs) in cases.items():
        inputs = [x.clone().detach().requires_grad_() for x in inputs]
        y = loss(*inputs)
        y.sum().backward()
        tensors[f"{name}.y"] = y
        for letter, x in zip("abc", inputs):
            tensors |= {f"{name}.{letter}": x, f"{name}.d{letter}": x.grad}
    record("losses", None, tensors)


layers()
bags()
losses()
