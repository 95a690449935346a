"""Records what PyTorch's recurrent layers give, for tests/tests/parity_recurrent.rs: outputs, last states and all gradients
of a loss of both. Run it with PyTorch's Python: python tests/peers/parity_recurrent.py
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from parity import filled, record, uniform

KINDS = {
    "rnn": lambda *sizes, **options: nn.RNN(*sizes, **options),
    "relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "lstm": lambda *sizes, **options: nn.LSTM(*sizes, **options),
    "gru": lambda *sizes, **options: nn.GRU(*sizes, **options),
}
STEPS, INPUT, HIDDEN = 6, 5, 7
LENGTHS = [2, 6, 1, 4]


def one(kind, name, state=True, lengths=None, layers=1, **options):
    model = filled(KINDS[kind](INPUT, HIDDEN, num_layers=layers, **options))
    samples = len(LENGTHS)
    first = [samples, STEPS] if options.get("batch_first") else [STEPS, samples]
    x = uniform(f"{name}.x", [*first, INPUT]).requires_grad_()
    directions = 2 if options.get("bidirectional") else 1
    names = ["h_0", "c_0"] if kind == "lstm" else ["h_0"]
    states = [uniform(f"{name}.{s}", [layers * directions, samples, HIDDEN]).requires_grad_() for s in names]
    given = None
    if state:
        given = tuple(states) if kind == "lstm" else states[0]
    if lengths:
        batch_first = options.get("batch_first", False)
        packed = pack_padded_sequence(x, lengths, batch_first=batch_first, enforce_sorted=False)
        y, last = model(packed, given)
        y, _ = pad_packed_sequence(y, batch_first=batch_first, total_length=STEPS)
    else:
        y, last = model(x, given)
    last = list(last) if kind == "lstm" else [last]
    outputs = [y, *last]
    cotangents = [uniform(f"{name}.of.{i}", out.shape) for i, out in enumerate(outputs)]
    loss = sum((out * cotangent).sum() for out, cotangent in zip(outputs, cotangents))
    loss.backward()
    tensors = {"x": x, "y": y, "loss": loss.reshape(1), "grad_of.x": x.grad}
    for i, (out, cotangent) in enumerate(zip(outputs, cotangents)):
        tensors[f"cotangent.{i}"] = cotangent
        if i > 0:
            tensors[f"last.{i - 1}"] = out
    if state:
        for i, s in enumerate(states):
            tensors |= {f"state.{i}": s, f"grad_of.state.{i}": s.grad}
    record(f"recurrent_{name}", model, tensors, [p for p, _ in model.named_parameters()])


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.rnn, self.fc = nn.Embedding(11, 6), nn.LSTM(6, 7, num_layers=2), nn.Linear(7, 11)

    def forward(self, tokens):
        return self.fc(self.rnn(self.embedding(tokens.T))[0]).permute(1, 2, 0)


def language_model():
    model = filled(LanguageModel())
    tokens = torch.arange(15).reshape(3, 5) * 7 % 11
    targets = (tokens + 1) % 11
    logits = model(tokens)
    loss = nn.functional.cross_entropy(logits, targets)
    loss.backward()
    tensors = {"tokens": tokens, "targets": targets, "logits": logits, "loss": loss.reshape(1)}
    record("recurrent_lm", model, tensors, ["embedding.weight", "rnn.weight_ih_l0", "fc.weight", "fc.bias"])


def main():
    language_model()
    for kind in KINDS:
        one(kind, f"{kind}_plain", state=False)
        one(kind, f"{kind}_state", layers=2, batch_first=True)
        one(kind, f"{kind}_both", layers=2, bidirectional=True, bias=False)
        one(kind, f"{kind}_lengths", lengths=LENGTHS, layers=2, bidirectional=True)
    one("lstm", "lstm_lengths_batch_first", lengths=LENGTHS, batch_first=True)
    one("gru", "gru_lengths_no_state", lengths=LENGTHS, state=False, bidirectional=True)


if __name__ == "__main__":
    main()
