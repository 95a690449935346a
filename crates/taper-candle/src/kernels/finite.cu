// Takes a flag down where an element is infinite or NaN. All who write to it write the same.

KERNEL all_finite(const T *x, unsigned char *flag, long long n) {
    bool bad = false;
    for (long long i = first(); i < n; i += stride()) {
        A a = load(x[i]);
        bad = bad || is_nan(a - a);
    }
    if (bad) {
        *flag = 0;
    }
}
