"""Numbers from a counter, the same here and in tests/src/hash.rs.

    mix(z)          the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)
    word(s, i)    = mix(mix(s) + (i + 1) * 0x9E3779B97F4A7C15), modulo 2^64: number i of stream s
    unit(s, i)    = (word(s, i) >> 11) * 2^-53, in [0, 1)
    weight i of parameter number p (from 0, in the order of the state dict)
                  = (2 * unit(p, i) - 1) / sqrt(fan_in), in f64, then rounded to the dtype
    byte i of all pictures (NCHW) = word(100, i) >> 56;  value = byte / 255
    label of picture n            = word(101, n) % 10

Run as a program, it prints the known answers that the Rust side's test holds.
"""

import numpy as np

GAMMA = np.uint64(0x9E3779B97F4A7C15)
PICTURES, LABELS = 100, 101


def mix(z):
    z = np.asarray(z, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def words(stream, count):
    with np.errstate(over="ignore"):
        return mix(mix(np.uint64(stream)) + (np.arange(count, dtype=np.uint64) + np.uint64(1)) * GAMMA)


def weights(parameter, shape, fan_in):
    unit = (words(parameter, int(np.prod(shape))) >> np.uint64(11)) * 2.0**-53
    return ((2 * unit - 1) * (1 / np.sqrt(fan_in))).reshape(shape)


def pictures(count):
    return (words(PICTURES, count * 3072) >> np.uint64(56)).astype(np.uint8).reshape(count, 3, 32, 32)


def labels(count):
    return (words(LABELS, count) % np.uint64(10)).astype(np.int64)


if __name__ == "__main__":
    print("words(0), words(1), words(100):", [[hex(w) for w in words(s, 3)] for s in (0, 1, 100)])
    print("weights(2, 4 of fan_in 576):", [repr(float(w)) for w in weights(2, (4,), 576)])
    print("pictures:", pictures(1).reshape(-1)[:8].tolist(), "labels:", labels(12).tolist())
