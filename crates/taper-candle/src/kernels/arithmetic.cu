// z = f(a, b), element by element. The operations are numbered as in arithmetic.rs.

KERNEL binary(const T *a, const T *b, T *z, long long n, long long op) {
    for (long long i = first(); i < n; i += stride()) {
        A x = load(a[i]), y = load(b[i]), out;
        switch (op) {
            case 0: out = x + y; break;
            case 1: out = x - y; break;
            case 2: out = x * y; break;
            case 3: out = x / y; break;
            case 4: out = pow(x, y); break;
            case 5: out = x > y || is_nan(x) ? x : y; break;
            default: out = x < y || is_nan(x) ? x : y; break;
        }
        store(z[i], out);
    }
}
