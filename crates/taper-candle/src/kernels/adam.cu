// One step of Adam or AdamW: out holds the new parameter, first and second moment, n elements each. Where the flag
// `apply` is 0, they are the old ones. 1 - beta^t is -expm1(t ln beta), to all digits of A.

KERNEL adam(
    const T *p, const T *m, const T *v, const T *gradient, const long long *taken, const unsigned char *apply, T *out,
    long long n, A shrink, A decay, A rate1, A beta2, A rate2, A ln_beta1, A ln_beta2, A eps, A lr
) {
    bool skip = apply && *apply == 0;
    A t = A(*taken + 1);
    A root = sqrt(-expm1(t * ln_beta2)), step = lr / -expm1(t * ln_beta1);
    for (long long i = first(); i < n; i += stride()) {
        if (skip) {
            out[i] = p[i];
            out[n + i] = m[i];
            out[2 * n + i] = v[i];
            continue;
        }
        A w = load(p[i]), m1 = load(m[i]), m2 = load(v[i]);
        A g = load(gradient[i]) + decay * w;
        m1 = m1 + (g - m1) * rate1;
        m2 = beta2 * m2 + rate2 * g * g;
        A denominator = sqrt(m2) / root + eps;
        store(out[i], w * shrink - step * m1 / denominator);
        store(out[n + i], m1);
        store(out[2 * n + i], m2);
    }
}
