// Arithmetic on i64 that wraps around, as unsigned arithmetic does; n / 0 is 0.
// The operations are numbered as in arithmetic.rs and integer.rs.

typedef unsigned long long U;

KERNEL integer_binary(const T *a, const T *b, T *z, long long n, long long op) {
    for (long long i = first(); i < n; i += stride()) {
        A x = a[i], y = b[i], out;
        switch (op) {
            case 0: out = (A)((U)x + (U)y); break;
            case 1: out = (A)((U)x - (U)y); break;
            case 2: out = (A)((U)x * (U)y); break;
            // -1: the smallest has no positive counterpart, and a processor may trap.
            case 3: out = y == 0 ? 0 : y == -1 ? (A)(0 - (U)x) : x / y; break;
            case 5: out = x > y ? x : y; break;
            default: out = x < y ? x : y; break;
        }
        z[i] = out;
    }
}

KERNEL integer_unary(const T *x, T *y, long long n, long long op) {
    for (long long i = first(); i < n; i += stride()) {
        A a = x[i], out;
        switch (op) {
            case 0: out = (A)(0 - (U)a); break;
            case 1: out = a < 0 ? (A)(0 - (U)a) : a; break;
            default: out = (A)(a > 0) - (A)(a < 0); break;
        }
        y[i] = out;
    }
}
