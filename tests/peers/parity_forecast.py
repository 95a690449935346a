"""Records what PyTorch gives for the forecasters, for tests/tests/parity_forecast.rs: outputs, the loss and some gradients.
DLinear, NLinear and N-BEATS are written as in their authors' code (github.com/cure-lab/LTSF-Linear,
github.com/ServiceNow/N-BEATS), with quantiles as further outputs. Run it with PyTorch's Python:
python tests/peers/parity_forecast.py
"""

import torch
from torch import nn

from parity import filled, record, uniform

CONTEXT, HORIZON, QUANTILES = 12, 5, [0.1, 0.5, 0.9]
OUTPUTS = HORIZON * len(QUANTILES)


class DLinear(nn.Module):
    def __init__(self, kernel=5):
        super().__init__()
        self.kernel = kernel
        self.avg = nn.AvgPool1d(kernel, stride=1, padding=0)
        self.Linear_Seasonal, self.Linear_Trend = nn.Linear(CONTEXT, OUTPUTS), nn.Linear(CONTEXT, OUTPUTS)

    def forward(self, x):
        side = (self.kernel - 1) // 2
        padded = torch.cat([x[:, :1].repeat(1, side), x, x[:, -1:].repeat(1, side)], dim=1)
        trend = self.avg(padded[:, None])[:, 0]
        return self.Linear_Seasonal(x - trend) + self.Linear_Trend(trend)


class NLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.Linear = nn.Linear(CONTEXT, OUTPUTS)

    def forward(self, x):
        last = x[:, -1:].detach()
        return self.Linear(x - last) + last


class Block(nn.Module):
    def __init__(self, layers, width):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(CONTEXT if i == 0 else width, width) for i in range(layers))
        self.basis_parameters = nn.Linear(width, CONTEXT + OUTPUTS)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        theta = self.basis_parameters(x)
        return theta[:, :CONTEXT], theta[:, -OUTPUTS:]


class NBeats(nn.Module):
    def __init__(self, blocks=2, layers=3, width=8):
        super().__init__()
        self.blocks = nn.ModuleList(Block(layers, width) for _ in range(blocks))

    def forward(self, x):
        residuals = x.flip(dims=(1,))
        forecast = x[:, -1:]
        for block in self.blocks:
            backcast, part = block(residuals)
            residuals = residuals - backcast
            forecast = forecast + part
        return forecast


class Recurrent(nn.Module):
    def __init__(self, patch=4, hidden=6, layers=2):
        super().__init__()
        self.patch = patch
        self.lstm, self.fc = nn.LSTM(patch, hidden, layers, batch_first=True), nn.Linear(hidden, OUTPUTS)

    def forward(self, x):
        last = x[:, -1:]
        y, _ = self.lstm((x - last).reshape(len(x), -1, self.patch))
        return self.fc(y[:, -1]) + last


for name, model, gradients in [
    ("dlinear", DLinear(), ["Linear_Seasonal.weight", "Linear_Trend.bias"]),
    ("nlinear", NLinear(), ["Linear.weight", "Linear.bias"]),
    ("lstm_forecaster", Recurrent(), ["lstm.weight_ih_l0", "lstm.bias_hh_l1", "fc.weight"]),
    ("nbeats", NBeats(), ["blocks.0.layers.0.weight", "blocks.0.basis_parameters.weight", "blocks.1.layers.2.bias"]),
]:
    model = filled(model)
    x, target = uniform(f"{name}.x", [3, CONTEXT]), uniform(f"{name}.target", [3, HORIZON])
    y = model(x).reshape(3, HORIZON, len(QUANTILES))
    d, q = target[..., None] - y, torch.tensor(QUANTILES, dtype=torch.float64)
    loss = torch.maximum(q * d, (q - 1) * d).mean()
    loss.backward()
    record(name, model, {"x": x, "target": target, "y": y, "loss": loss.reshape(1)}, gradients)
