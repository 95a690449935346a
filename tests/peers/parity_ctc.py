"""Records what PyTorch's CTC loss gives, for tests/tests/parity_ctc.rs: losses, and their gradient at the logits.

Run it with PyTorch's Python: python tests/peers/parity_ctc.py
"""

import torch
from torch import nn

from parity import record, uniform

# Labels of each sample (the blank is 0): one twice in a row, one without any, one as long as the frames allow, and one
# that cannot be: two equal labels need a frame between them.
LABELS = [[1, 2, 3], [2, 2, 1], [], [4], [3, 1, 3, 1, 3], [1, 1, 1]]
LENGTHS = [7, 7, 5, 1, 5, 4]
FRAMES, CLASSES = 7, 5


def one(name, blank=0, reduction="none", zero_infinity=False):
    logits = (3 * uniform(f"ctc.{name}", [FRAMES, len(LABELS), CLASSES])).requires_grad_()
    # With another blank, labels keep clear of it.
    labels = [[label if blank == 0 else (blank + label) % CLASSES for label in of] for of in LABELS]
    loss = nn.functional.ctc_loss(
        logits.log_softmax(2), torch.tensor(sum(labels, [])), torch.tensor(LENGTHS),
        torch.tensor([len(of) for of in labels]), blank=blank, reduction=reduction, zero_infinity=zero_infinity,
    )
    # What cannot be has no gradient.
    (loss[:-1] if reduction == "none" else loss).sum().backward()
    tensors = {"logits": logits, "loss": loss.reshape(-1), "grad": logits.grad[:, :-1] if reduction == "none" else logits.grad}
    record(f"ctc_{name}", None, tensors)


def main():
    one("each")
    one("mean", blank=3, reduction="mean", zero_infinity=True)
    one("sum", blank=4, reduction="sum", zero_infinity=True)


if __name__ == "__main__":
    main()
