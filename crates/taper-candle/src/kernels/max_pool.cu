// Max pooling of planes of h by w elements into planes of rows by columns. Windows of kh by kw start every sh and sw
// elements, ph above the plane and pw left of it.

KERNEL max_pool_index(
    const T *x, long long *index, long long n, long long h, long long w, long long rows, long long columns,
    long long kh, long long kw, long long sh, long long sw, long long ph, long long pw
) {
    for (long long o = first(); o < n; o += stride()) {
        long long plane = o / (rows * columns), top = o / columns % rows * sh - ph, left = o % columns * sw - pw;
        long long bottom = top + kh < h ? top + kh : h, right = left + kw < w ? left + kw : w;
        top = top > 0 ? top : 0;
        left = left > 0 ? left : 0;
        const T *from = x + plane * h * w;
        long long at = top * w + left;
        A best = load(from[at]);
        for (long long i = top; i < bottom; i++) {
            for (long long j = left; j < right; j++) {
                A a = load(from[i * w + j]);
                if (a > best || (is_nan(a) && !is_nan(best))) {
                    best = a;
                    at = i * w + j;
                }
            }
        }
        index[o] = at;
    }
}

// The elements that were chosen: `outer` of each plane of `inner`.
KERNEL max_pool_pick(const T *x, const long long *index, T *y, long long n, long long inner, long long outer) {
    for (long long o = first(); o < n; o += stride()) {
        y[o] = x[o / outer * inner + index[o]];
    }
}

// Each element's gradient: the sum over the windows that chose it, row by row.
KERNEL max_pool_grad(
    const T *g, const long long *index, T *dx, long long n, long long h, long long w, long long rows, long long columns,
    long long kh, long long kw, long long sh, long long sw, long long ph, long long pw
) {
    for (long long o = first(); o < n; o += stride()) {
        long long plane = o / (h * w), at = o % (h * w), i = at / w + ph, j = at % w + pw;
        // Windows a with a * sh <= i < a * sh + kh.
        long long top = i < kh ? 0 : (i - kh) / sh + 1, bottom = i / sh < rows ? i / sh : rows - 1;
        long long left = j < kw ? 0 : (j - kw) / sw + 1, right = j / sw < columns ? j / sw : columns - 1;
        A sum = 0;
        for (long long a = top; a <= bottom; a++) {
            for (long long b = left; b <= right; b++) {
                long long window = (plane * rows + a) * columns + b;
                if (index[window] == at) {
                    sum += load(g[window]);
                }
            }
        }
        store(dx[o], sum);
    }
}
