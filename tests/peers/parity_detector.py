"""Records a detector of torchvision's parts: residual blocks, two maps added, FCOS's head. Writes, under tests/peers/parity/:

    detector.safetensors     in training, for pictures whose sides are no multiple of 16

    python parity_detector.py
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models.detection.fcos import FCOSClassificationHead, FCOSRegressionHead
from torchvision.models.resnet import BasicBlock, conv1x1

from parity import filled, record, uniform


def block(a, b, stride):
    change = stride > 1 or a != b
    return BasicBlock(a, b, stride, nn.Sequential(conv1x1(a, b, stride), nn.BatchNorm2d(b)) if change else None)


class Detector(nn.Module):
    def __init__(self, width, classes, convs):
        super().__init__()
        wide = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(3, width, 3, 2, 1, bias=False), nn.BatchNorm2d(width)
        for i, (a, b) in enumerate([(width, width), (width, 2 * width), (2 * width, wide), (wide, wide)]):
            setattr(self, f"layer{i + 1}", nn.Sequential(block(a, b, 1 if i == 0 else 2)))
        self.smooth, self.bn2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False), nn.BatchNorm2d(wide)
        norm = partial(nn.GroupNorm, 8)
        self.head = nn.ModuleDict({
            "classification_head": FCOSClassificationHead(wide, 1, classes, convs, norm_layer=norm),
            "regression_head": FCOSRegressionHead(wide, 1, convs, norm_layer=norm),
        })

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        x = x + F.interpolate(self.layer4(x), size=x.shape[2:], mode="nearest-exact")
        x = [F.relu(self.bn2(self.smooth(x)))]
        distances, centerness = self.head["regression_head"](x)
        return self.head["classification_head"](x), distances, centerness.squeeze(2)


model = filled(Detector(4, 3, 1))
x = uniform("x", (2, 3, 37, 26)).requires_grad_()
logits, distances, centerness = model(x)
# Distances are 0 or more: that they are 0 everywhere would be no test.
assert (distances > 0).double().mean() > 0.3
loss = logits.square().mean() + distances.square().mean() + centerness.square().mean()
loss.backward()
tensors = {"x": x, "dx": x.grad, "logits": logits, "distances": distances, "centerness": centerness, "loss": loss}
names = ["conv1.weight", "layer4.0.bn2.weight", "smooth.weight", "head.regression_head.bbox_reg.bias"]
record("detector", model, tensors, names)
print(list(logits.shape), [name for name, _ in model.named_parameters()][:8])
