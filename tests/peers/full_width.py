"""Models at their full width with random weights of the real library, for `cargo run --release -p taper-models --example
full_width -- NAME FOLDER`: the weights (f32) as FOLDER/NAME.safetensors, and an input, the output, the mean cross entropy's
gradients of the first and last parameters, computed from them in f64, as FOLDER/NAME-record.safetensors. The files are
large and not kept.

    python full_width.py NAME FOLDER        # gpt2, or a model of torchvision
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file


def build(name):
    """A model and an input."""
    torch.manual_seed(0)
    if name == "gpt2":
        from transformers import GPT2Config, GPT2LMHeadModel

        config = GPT2Config(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
        return GPT2LMHeadModel(config), torch.randint(config.vocab_size, (2, 64))
    import torchvision

    options = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **options)
    for parameter in model.parameters():  # heads that begin as zeros would have outputs of zeros
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return model, torch.randn(2, 3, 224, 224)


def main():
    name, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    model, x = build(name)
    model.eval()
    state = {k: v.contiguous() for k, v in model.state_dict().items() if k != "lm_head.weight"}
    save_file(state, folder / f"{name}.safetensors")
    model = model.double()
    y = model(x if name == "gpt2" else x.double())
    y = y.logits if name == "gpt2" else y
    rows = y.flatten(0, -2)
    labels = torch.arange(rows.shape[0]) % rows.shape[1]
    loss = torch.nn.functional.cross_entropy(rows, labels)
    loss.backward()
    named = [(k, p.grad) for k, p in model.named_parameters()]
    found = {"x": x, "y": y, "loss": loss.reshape(1), "labels": labels}
    found |= {f"grad.{k}": grad for k, grad in (named[0], named[-1])}
    save_file({k: v.detach().contiguous() for k, v in found.items()}, folder / f"{name}-record.safetensors")


main()
