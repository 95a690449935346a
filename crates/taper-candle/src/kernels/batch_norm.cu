// Batch norm of x [N, C, plane] over its `per` = N * plane elements a channel, in `chunks` chunks of `chunk` elements, each
// summed by a block in an order that depends on nothing but the sizes. Sums are of deviations from each channel's first
// element, and the mean is kept in two parts, high and low, so that no digits are lost where it is far from 0.
// `stats` are [high, low, 1 / sqrt(variance + eps), variance] of C each.

// The sum of all threads' x, which each of them gets.
__device__ inline A total(A x) {
    __shared__ A parts[THREADS];
    parts[threadIdx.x] = x;
    __syncthreads();
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            parts[threadIdx.x] += parts[threadIdx.x + half];
        }
        __syncthreads();
    }
    A sum = parts[0];
    __syncthreads();
    return sum;
}

// A thread's way through a block's chunk of a channel, without dividing at each step.
struct Walk {
    long long k, end, picture, place, pictures, places, plane, channels, channel;

    __device__ inline Walk(long long channels, long long plane, long long per, long long chunks, long long chunk)
        : plane(plane), channels(channels) {
        long long begin = blockIdx.x % chunks * chunk;
        channel = blockIdx.x / chunks;
        k = begin + threadIdx.x;
        end = begin + chunk < per ? begin + chunk : per;
        picture = k / plane;
        place = k % plane;
        pictures = THREADS / plane;
        places = THREADS % plane;
    }
    __device__ inline bool more() const { return k < end; }
    __device__ inline long long at() const { return (picture * channels + channel) * plane + place; }
    __device__ inline void next() {
        k += THREADS;
        picture += pictures;
        place += places;
        if (place >= plane) {
            place -= plane;
            picture++;
        }
    }
};

// Each chunk's mean of deviations and sum of squares about it: out [2, chunks, C].
KERNEL batch_norm_moments(
    const T *x, A *out, long long channels, long long plane, long long per, long long chunks, long long chunk
) {
    Walk start(channels, plane, per, chunks, chunk);
    long long c = start.channel, s = blockIdx.x % chunks;
    long long count = per - s * chunk < chunk ? per - s * chunk : chunk;
    A shift = load(x[c * plane]), sum = 0, squares = 0;
    for (Walk walk = start; walk.more(); walk.next()) {
        sum += load(x[walk.at()]) - shift;
    }
    A mean = total(sum) / (A)count;
    for (Walk walk = start; walk.more(); walk.next()) {
        A d = load(x[walk.at()]) - shift - mean;
        squares += d * d;
    }
    squares = total(squares);
    if (threadIdx.x == 0) {
        out[s * channels + c] = mean;
        out[(chunks + s) * channels + c] = squares;
    }
}

// The chunks' moments put together (Chan, Golub and LeVeque 1983).
KERNEL batch_norm_stats(
    const T *x, const A *moments, A *stats, long long channels, long long plane, long long per, long long chunks,
    long long chunk, A eps
) {
    for (long long c = first(); c < channels; c += stride()) {
        A d = 0, squares = 0;
        for (long long s = 0; s < chunks; s++) {
            A count = (A)(per - s * chunk < chunk ? per - s * chunk : chunk);
            d += moments[s * channels + c] * (count / (A)per);
        }
        for (long long s = 0; s < chunks; s++) {
            A count = (A)(per - s * chunk < chunk ? per - s * chunk : chunk);
            A apart = moments[s * channels + c] - d;
            squares += moments[(chunks + s) * channels + c] + count * apart * apart;
        }
        // shift + d in two parts, exactly (Knuth).
        A shift = load(x[c * plane]), high = shift + d, back = high - shift;
        A variance = squares / (A)per;
        stats[c] = high;
        stats[channels + c] = (shift - (high - back)) + (d - back);
        stats[2 * channels + c] = (A)1 / sqrt(variance + eps);
        stats[3 * channels + c] = variance;
    }
}

KERNEL batch_norm_apply(
    const T *x, const A *stats, const T *weight, const T *bias, T *y, long long n, long long channels, long long plane
) {
    for (long long i = first(); i < n; i += stride()) {
        long long c = i / plane % channels;
        A normal = (load(x[i]) - stats[c] - stats[channels + c]) * stats[2 * channels + c];
        A scaled = weight ? normal * load(weight[c]) : normal;
        store(y[i], bias ? scaled + load(bias[c]) : scaled);
    }
}

// Each chunk's sums of g and of g times the normalised x: out [2, chunks, C].
KERNEL batch_norm_grad_sums(
    const T *x, const T *g, const A *stats, A *out, long long channels, long long plane, long long per,
    long long chunks, long long chunk
) {
    Walk walk(channels, plane, per, chunks, chunk);
    long long c = walk.channel, s = blockIdx.x % chunks;
    A high = stats[c], low = stats[channels + c], sum = 0, product = 0;
    for (; walk.more(); walk.next()) {
        A a = load(g[walk.at()]);
        sum += a;
        product += a * (load(x[walk.at()]) - high - low);
    }
    sum = total(sum);
    product = total(product) * stats[2 * channels + c];
    if (threadIdx.x == 0) {
        out[s * channels + c] = sum;
        out[(chunks + s) * channels + c] = product;
    }
}

// With the sums [2, C] of all chunks.
KERNEL batch_norm_grad(
    const T *x, const T *g, const A *stats, const A *sums, const T *weight, T *dx, long long n, long long channels,
    long long plane, long long per
) {
    for (long long i = first(); i < n; i += stride()) {
        long long c = i / plane % channels;
        A inverse = stats[2 * channels + c];
        A normal = (load(x[i]) - stats[c] - stats[channels + c]) * inverse;
        A d = load(g[i]) - sums[c] / (A)per - normal * (sums[channels + c] / (A)per);
        store(dx[i], d * (weight ? load(weight[c]) * inverse : inverse));
    }
}
