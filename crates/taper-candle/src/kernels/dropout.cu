// Dropout: element i is x / keep where random word i is at least the threshold, else 0. Each thread takes the four
// elements that share a block of Philox 4x32-10 (Salmon et al. 2011), as random.rs of taper-backend defines it.

KERNEL dropout(
    const T *x, T *y, long long n, long long threshold, long long seed, long long stream, A keep
) {
    for (long long block = first(); block * 4 < n; block += stride()) {
        unsigned c[4] = {
            (unsigned)block, (unsigned)((unsigned long long)block >> 32),
            (unsigned)stream, (unsigned)((unsigned long long)stream >> 32)
        };
        unsigned k[2] = {(unsigned)seed, (unsigned)((unsigned long long)seed >> 32)};
        for (int round = 0; round < 10; round++) {
            unsigned long long p0 = c[0] * 0xD2511F53ull, p1 = c[2] * 0xCD9E8D57ull;
            unsigned c1 = c[1], c3 = c[3];
            c[0] = (unsigned)(p1 >> 32) ^ c1 ^ k[0];
            c[1] = (unsigned)p1;
            c[2] = (unsigned)(p0 >> 32) ^ c3 ^ k[1];
            c[3] = (unsigned)p0;
            k[0] += 0x9E3779B9u;
            k[1] += 0xBB67AE85u;
        }
        for (int lane = 0; lane < 4 && block * 4 + lane < n; lane++) {
            long long i = block * 4 + lane;
            store(y[i], (long long)c[lane] >= threshold ? load(x[i]) / keep : (A)0);
        }
    }
}
