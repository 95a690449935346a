"""Records U-Net, a variational autoencoder, and torchvision's FCOS head with its loss and its suppression of doubles. Writes,
under tests/peers/parity/:

    unet.safetensors, unet_plain.safetensors, unet_group.safetensors     U-Nets of little depth and width, by their paper
    vae.safetensors                                                      the bound with given noise
    fcos.safetensors                                                     torchvision's head, compute_loss, postprocessing, nms

    python parity_dense.py
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.ops import nms

from parity import filled, record, uniform

# ---- U-Net (Ronneberger et al. 2015), padded, with the names of milesial/Pytorch-UNet ----


class DoubleConv(nn.Module):
    def __init__(self, a, b, norm):
        super().__init__()
        make = {"batch": nn.BatchNorm2d, "group": lambda c: nn.GroupNorm(max(g for g in range(1, 9) if c % g == 0), c), "none": lambda c: nn.Identity()}[norm]
        conv = lambda a, b: nn.Conv2d(a, b, 3, padding=1, bias=norm == "none")
        self.double_conv = nn.Sequential(conv(a, b), make(b), nn.ReLU(), conv(b, b), make(b), nn.ReLU())

    def forward(self, x):
        return self.double_conv(x)


class Down(nn.Module):
    def __init__(self, a, b, norm):
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(a, b, norm))

    def forward(self, x):
        return self.maxpool_conv(x)


class Up(nn.Module):
    def __init__(self, a, b, norm):
        super().__init__()
        self.up, self.conv = nn.ConvTranspose2d(a, b, 2, stride=2), DoubleConv(a, b, norm)

    def forward(self, x, skip):
        x = self.up(x)
        x = F.pad(x, (0, skip.shape[3] - x.shape[3], 0, skip.shape[2] - x.shape[2]))
        return self.conv(torch.cat([skip, x], 1))


class OutConv(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv = nn.Conv2d(a, b, 1)

    def forward(self, x):
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, channels, classes, width, depth, norm):
        super().__init__()
        widths, self.depth = [width * 2**i for i in range(depth + 1)], depth
        self.inc = DoubleConv(channels, width, norm)
        for i in range(depth):
            setattr(self, f"down{i + 1}", Down(widths[i], widths[i + 1], norm))
        for i in range(depth):
            setattr(self, f"up{i + 1}", Up(widths[depth - i], widths[depth - i - 1], norm))
        self.outc = OutConv(width, classes)

    def forward(self, x):
        maps = [self.inc(x)]
        for i in range(self.depth):
            maps.append(getattr(self, f"down{i + 1}")(maps[-1]))
        x = maps.pop()
        for i in range(self.depth):
            x = getattr(self, f"up{i + 1}")(x, maps.pop())
        return self.outc(x)


def unet(name, norm, side):
    """Sides that are no multiple of 4 are padded on the way up."""
    model = filled(UNet(2, 3, 4, 2, norm))
    x, labels = uniform("x", (2, 2, side, side + 3)).requires_grad_(), (uniform("labels", (2, side, side + 3)) * 1.5 + 1.5).long()
    y = model(x)
    loss = F.cross_entropy(y, labels)
    loss.backward()
    first, last = "inc.double_conv.0.weight", "outc.conv.weight"
    tensors = {"x": x, "labels": labels, "y": y, "loss": loss, "dx": x.grad}
    record(name, model, tensors, [first, "up1.up.weight", last])


# ---- VAE (Kingma and Welling 2014) ----


def vae():
    sizes = {"encoder": (12, 7), "mean": (7, 3), "log_var": (7, 3), "decoder": (3, 7), "output": (7, 12)}
    model = filled(nn.ModuleDict({name: nn.Linear(*size) for name, size in sizes.items()}))
    x, noise = uniform("x", (4, 12)).abs(), uniform("noise", (4, 3))
    hidden = torch.tanh(model["encoder"](x))
    mean, log_var = model["mean"](hidden), model["log_var"](hidden)
    decode = lambda z: model["output"](torch.tanh(model["decoder"](z)))
    logits = decode(mean + torch.exp(0.5 * log_var) * noise)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / 4
    divergence = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum() / 4
    (reconstruction + divergence).backward()
    tensors = {"x": x, "noise": noise, "mean": mean, "log_var": log_var, "logits": logits, "evaluation": decode(mean)}
    tensors |= {"reconstruction": reconstruction, "divergence": divergence}
    record("vae", model, tensors, [name for name, _ in model.named_parameters()])


# ---- FCOS (Tian et al. 2019), torchvision's ----


def fcos():
    stride, h, w, classes = 8, 4, 5, 3
    head = filled(FCOSHead(32, 1, classes, num_convs=1))
    features = uniform("features", (2, 32, h, w)).requires_grad_()
    # The first picture's small box lies in its large one; the second picture has none.
    boxes = torch.tensor([[2.0, 3.0, 38.0, 30.0], [10.0, 11.0, 22.0, 21.0], [25.0, 1.0, 37.0, 9.0]]).double()
    targets = [
        {"boxes": boxes, "labels": torch.tensor([2, 0, 1])},
        {"boxes": torch.zeros(0, 4).double(), "labels": torch.zeros(0, dtype=torch.int64)},
    ]
    ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    centres = torch.stack([xs, ys, xs, ys], 2).view(-1, 4).double() * stride + stride // 2
    anchors = [centres + torch.tensor([-1.0, -1, 1, 1]) * stride / 2] * 2
    outputs = head([features])
    # A box whose side is 0 through ReLU everywhere would be no test.
    assert (outputs["bbox_regression"] > 0).double().mean() > 0.3
    model = SimpleNamespace(center_sampling_radius=1.5, head=head)
    losses = FCOS.compute_loss(model, targets, outputs, anchors, [h * w])
    sum(losses.values()).backward()
    options = SimpleNamespace(score_thresh=0.45, topk_candidates=20, nms_thresh=0.3, detections_per_img=7, box_coder=head.box_coder)
    apart = {name: [value.detach()] for name, value in outputs.items()}
    found = FCOS.postprocess_detections(options, apart, [[a] for a in anchors], [(30, 36)] * 2)
    many = torch.cat([3 * uniform("corner", (60, 2)), torch.zeros(60, 2).double()], 1)
    many[:, 2:] = many[:, :2] + 1 + uniform("size", (60, 2)).abs()
    scores = (uniform("scores", (60,)) * 10).round()  # many are equal
    # Of equal scores torchvision keeps the first where its sort is stable, as on this side.
    assert torch.equal(torch.argsort(scores, descending=True, stable=True), scores.sort(stable=True, descending=True)[1])
    tensors = {"features": features, "dfeatures": features.grad, "boxes": boxes, "labels": targets[0]["labels"]}
    tensors |= {"logits": outputs["cls_logits"], "distances": outputs["bbox_regression"]}
    tensors |= {"centerness": outputs["bbox_ctrness"].squeeze(2)} | {f"loss.{name}": loss for name, loss in losses.items()}
    for i, picture in enumerate(found):
        tensors |= {f"found{i}.{name}": value for name, value in picture.items()}
    tensors |= {"many": many, "scores": scores, "kept": nms(many, scores, 0.4)}
    names = ["classification_head.conv.1.weight", "classification_head.cls_logits.bias"]
    names += ["regression_head.conv.0.weight", "regression_head.bbox_reg.weight", "regression_head.bbox_ctrness.weight"]
    record("fcos", head, tensors, names)
    print({name: loss.item() for name, loss in losses.items()}, [len(picture["boxes"]) for picture in found], len(tensors["kept"]))


unet("unet", "batch", 9)
unet("unet_plain", "none", 8)
unet("unet_group", "group", 10)
vae()
fcos()
