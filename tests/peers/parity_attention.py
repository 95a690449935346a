"""Records what PyTorch's attention layers, its Transformer, Hugging Face's GPT-2 and torchvision's ViT give, at reduced
width, for tests/tests/parity_attention.rs.

    python parity_attention.py [NAME ...]
"""

import sys

import torch
from torch import nn

from parity import filled, record, uniform, value

ALL = {}


def case(f):
    ALL[f.__name__] = f
    return f


def inputs(**shapes):
    """Leaves that require gradients, drawn by their names."""
    return {name: uniform(f"input {name}", shape).requires_grad_() for name, shape in shapes.items()}


def backward(y, weight_name="g"):
    """A backward pass from Σ y · g for a drawn g, which is returned."""
    g = uniform(f"input {weight_name}", y.shape)
    (y * g).sum().backward()
    return g


def grads(leaves):
    return {f"grad.{name}": leaf.grad for name, leaf in leaves.items()}


def padding(lengths, longest):
    """True where a key is padding."""
    return torch.arange(longest)[None, :] >= torch.tensor(lengths)[:, None]


def causal(size):
    return torch.triu(torch.ones(size, size, dtype=torch.bool), diagonal=1)


def attention(name, y, weights, leaves, model, parameters, **more):
    g = backward(y)
    found = leaves | grads(leaves) | {"g": g, "y": y, "weights": weights} | more
    record(name, model, found, parameters)


@case
def mha_self():
    model = filled(nn.MultiheadAttention(12, 3, batch_first=True))
    x = inputs(x=(2, 5, 12))
    y, weights = model(x["x"], x["x"], x["x"], average_attn_weights=False)
    attention("mha_self", y, weights, x, model, [name for name, _ in model.named_parameters()])


@case
def mha_causal_padded():
    model = filled(nn.MultiheadAttention(12, 4, batch_first=True))
    x = inputs(x=(2, 6, 12))
    pad = padding([6, 4], 6)
    mask = causal(6)
    args = dict(key_padding_mask=pad, attn_mask=mask, average_attn_weights=False)
    y, weights = model(x["x"], x["x"], x["x"], **args)
    parameters = [name for name, _ in model.named_parameters()]
    attention("mha_causal_padded", y, weights, x, model, parameters, padding=pad.byte(), mask=mask.byte())


@case
def mha_cross():
    model = filled(nn.MultiheadAttention(12, 3, bias=False, kdim=10, vdim=14, batch_first=True))
    x = inputs(query=(2, 4, 12), key=(2, 7, 10), value=(2, 7, 14))
    mask = uniform("input mask", (6, 4, 7)).clone()
    mask[:, :, 2] = -torch.inf
    args = dict(attn_mask=mask, average_attn_weights=False)
    y, weights = model(x["query"], x["key"], x["value"], **args)
    attention("mha_cross", y, weights, x, model, [name for name, _ in model.named_parameters()], mask=mask)


def encoder_layer(name, **options):
    model = filled(nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True, **options))
    x = inputs(x=(2, 5, 12))
    pad = padding([3, 5], 5)
    y = model(x["x"], src_key_padding_mask=pad)
    g = backward(y)
    parameters = [name for name, _ in model.named_parameters()]
    record(name, model, x | grads(x) | {"g": g, "y": y, "padding": pad.byte()}, parameters)


@case
def encoder_layer_post():
    encoder_layer("encoder_layer_post")


@case
def encoder_layer_pre():
    encoder_layer("encoder_layer_pre", norm_first=True, activation="gelu", layer_norm_eps=1e-6)


def decoder_layer(name, **options):
    model = filled(nn.TransformerDecoderLayer(12, 2, 20, dropout=0.0, batch_first=True, **options))
    x = inputs(x=(2, 5, 12), memory=(2, 7, 12))
    pad = padding([7, 4], 7)
    y = model(x["x"], x["memory"], tgt_mask=causal(5), memory_key_padding_mask=pad)
    g = backward(y)
    parameters = [name for name, _ in model.named_parameters()]
    record(name, model, x | grads(x) | {"g": g, "y": y, "padding": pad.byte()}, parameters)


@case
def decoder_layer_post():
    decoder_layer("decoder_layer_post")


@case
def decoder_layer_pre():
    decoder_layer("decoder_layer_pre", norm_first=True, activation="gelu")


class Seq2Seq(nn.Module):
    """The Transformer of the paper around torch.nn.Transformer: embeddings times √E, sinusoidal positions, a linear head."""

    def __init__(self, source, target, size, **options):
        super().__init__()
        self.src_embed, self.tgt_embed = nn.Embedding(source, size), nn.Embedding(target, size)
        self.transformer = nn.Transformer(size, batch_first=True, dropout=0.0, **options)
        self.generator = nn.Linear(size, target)
        self.size = size

    def positions(self, length):
        at = torch.arange(length, dtype=torch.float64)[:, None]
        i = torch.arange(self.size, dtype=torch.float64)
        angle = at / 10_000.0 ** ((i - i % 2) / self.size)
        return torch.where(i % 2 == 0, angle.sin(), angle.cos())

    def forward(self, source, target, pad):
        embed = lambda table, x: table(x) * self.size**0.5 + self.positions(x.shape[1])
        y = self.transformer(
            embed(self.src_embed, source), embed(self.tgt_embed, target), tgt_mask=causal(target.shape[1]),
            src_key_padding_mask=pad, memory_key_padding_mask=pad,
        )
        return self.generator(y)


@case
def transformer():
    options = dict(nhead=4, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=24)
    model = filled(Seq2Seq(11, 9, 16, **options))
    source = torch.tensor([[1, 4, 7, 10, 2, 0], [3, 3, 8, 0, 0, 0]])
    target = torch.tensor([[1, 2, 3, 4, 8], [5, 6, 0, 7, 1]])
    pad = padding([6, 3], 6)
    logits = model(source, target, pad)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), target.roll(-1, 1).flatten())
    loss.backward()
    found = {"source": source, "target": target, "padding": pad.byte(), "logits": logits, "loss": loss}
    parameters = ["src_embed.weight", "tgt_embed.weight", "generator.weight", "generator.bias"]
    parameters += [f"transformer.{name}" for name in [
        "encoder.layers.0.self_attn.in_proj_weight", "encoder.norm.weight",
        "decoder.layers.1.multihead_attn.in_proj_weight", "decoder.layers.1.norm3.bias", "decoder.norm.bias",
    ]]
    record("transformer", model, found, parameters)


@case
def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=37, n_positions=16, n_embd=24, n_layer=3, n_head=4, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        bos_token_id=0, eos_token_id=0,
    )
    model = filled(GPT2LMHeadModel(config)).train()
    with torch.no_grad():  # the head is tied to the embedding, and was filled by its own name
        wte = model.transformer.wte.weight
        wte.copy_(value("transformer.wte.weight", wte.shape))
    tokens = (torch.arange(2 * 12).reshape(2, 12) * 7 + 3) % 37
    logits = model(tokens).logits
    loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    model.lm_head = nn.Identity()  # ours has no weight of its own
    greedy, logits_of = tokens[:1, :3], []
    with torch.no_grad():
        for _ in range(20):
            hidden = model.transformer(greedy[:, -16:]).last_hidden_state
            step = hidden[:, -1] @ model.transformer.wte.weight.T
            logits_of.append(step)
            greedy = torch.cat([greedy, step.argmax(1, keepdim=True)], 1)
    found = {"tokens": tokens, "logits": logits, "loss": loss, "greedy": greedy, "steps": torch.cat(logits_of)}
    parameters = ["wte.weight", "wpe.weight", "h.0.attn.c_attn.weight", "h.0.ln_1.bias", "h.2.mlp.c_proj.weight", "ln_f.weight"]
    record("gpt2", model, found, [f"transformer.{name}" for name in parameters])


@case
def vit():
    from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

    size = dict(patch_size=4, num_layers=2, num_heads=3, hidden_dim=24, mlp_dim=40, num_classes=10)
    model = filled(VisionTransformer(image_size=16, **size)).eval()
    x = uniform("input x", (2, 3, 16, 16))
    logits = model(x)
    loss = nn.functional.cross_entropy(logits, torch.tensor([3, 7]))
    loss.backward()
    state = interpolate_embeddings(24, 4, model.state_dict())
    larger = VisionTransformer(image_size=24, **size).double().eval()
    larger.load_state_dict(state)
    x_larger = uniform("input larger", (1, 3, 24, 24))
    found = {"x": x, "logits": logits, "loss": loss, "larger": x_larger, "logits_larger": larger(x_larger)}
    found |= {"positions_larger": state["encoder.pos_embedding"]}
    parameters = ["class_token", "conv_proj.weight", "encoder.pos_embedding", "heads.head.weight", "heads.head.bias"]
    record("vit", model, found, parameters)


if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        ALL[name]()
