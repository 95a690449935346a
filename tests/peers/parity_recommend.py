"""Records what PyTorch gives for the models of pairs, for tests/tests/parity_recommend.rs: scores, the loss and some gradients.
Run it with PyTorch's Python: python tests/peers/parity_recommend.py
"""

import torch
from torch import nn

from parity import filled, record, uniform

USERS, ITEMS = 5, 7


class MatrixFactorization(nn.Module):
    def __init__(self, factors=4):
        super().__init__()
        self.user_factors, self.item_factors = nn.Embedding(USERS, factors), nn.Embedding(ITEMS, factors)
        self.user_biases, self.item_biases = nn.Embedding(USERS, 1), nn.Embedding(ITEMS, 1)
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, users, items):
        p, q = self.user_factors(users)[:, None], self.item_factors(items)
        return (p * q).sum(-1) + self.user_biases(users) + self.item_biases(items)[..., 0] + self.mean


class NeuMf(nn.Module):
    """As in github.com/guoyang9/NCF, without the sigmoid, which is part of the loss."""

    def __init__(self, factors=3, layers=(8, 4, 2)):
        super().__init__()
        half = layers[0] // 2
        self.embed_user_GMF, self.embed_item_GMF = nn.Embedding(USERS, factors), nn.Embedding(ITEMS, factors)
        self.embed_user_MLP, self.embed_item_MLP = nn.Embedding(USERS, half), nn.Embedding(ITEMS, half)
        modules = []
        for i, o in zip(layers, layers[1:]):
            modules += [nn.Dropout(0.0), nn.Linear(i, o), nn.ReLU()]
        self.MLP_layers = nn.Sequential(*modules)
        self.predict_layer = nn.Linear(factors + layers[-1], 1)
        self.register_buffer("mean", torch.zeros(1))

    def forward(self, users, items):
        users = users[:, None].expand_as(items)
        product = self.embed_user_GMF(users) * self.embed_item_GMF(items)
        shown = torch.cat([self.embed_user_MLP(users), self.embed_item_MLP(items)], -1)
        return self.predict_layer(torch.cat([product, self.MLP_layers(shown)], -1))[..., 0] + self.mean


users, items = torch.tensor([4, 0, 2]), torch.tensor([[6, 1], [0, 0], [3, 5]])
for name, model, gradients in [
    ("mf", MatrixFactorization(), ["user_factors.weight", "item_factors.weight", "user_biases.weight"]),
    ("neumf", NeuMf(), ["embed_user_GMF.weight", "embed_item_MLP.weight", "MLP_layers.1.weight", "predict_layer.bias"]),
]:
    model = filled(model)
    scores = model(users, items)
    loss = (scores * uniform(f"{name}.of", scores.shape)).sum()
    loss.backward()
    record(name, model, {"users": users, "items": items, "scores": scores, "loss": loss.reshape(1)}, gradients)
