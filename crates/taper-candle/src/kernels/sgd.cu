// One step of SGD: out holds the new parameter and, with momentum, the new velocity, n elements each. Where the flag
// `apply` is 0, they are the old ones.

KERNEL sgd(
    const T *p, const T *velocity, const T *gradient, const long long *taken, const unsigned char *apply, T *out,
    long long n, long long nesterov, A lr, A decay, A momentum, A fresh
) {
    bool skip = apply && *apply == 0, fresh_velocity = *taken == 0;
    for (long long i = first(); i < n; i += stride()) {
        if (skip) {
            out[i] = p[i];
            if (velocity) {
                out[n + i] = velocity[i];
            }
            continue;
        }
        A w = load(p[i]);
        A g = load(gradient[i]) + decay * w;
        if (velocity) {
            A v = fresh_velocity ? g : momentum * load(velocity[i]) + fresh * g;
            store(out[n + i], v);
            g = nesterov ? g + momentum * v : v;
        }
        store(out[i], w - lr * g);
    }
}
