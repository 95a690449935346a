// What every kernel's source starts with. No header is included: at run time there may be none.
// Halves are converted by hand, exactly as IEEE 754 says (to nearest, ties to even).

#define KERNEL extern "C" __global__ void

struct f16 { unsigned short bits; };
struct bf16 { unsigned short bits; };

__device__ inline float load(float x) { return x; }
__device__ inline double load(double x) { return x; }
__device__ inline long long load(long long x) { return x; }

__device__ inline float load(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }

__device__ inline float load(f16 x) {
    unsigned sign = (unsigned)(x.bits & 0x8000u) << 16;
    unsigned magnitude = (unsigned)(x.bits & 0x7fffu) << 13;
    if (magnitude >= 0x0f800000u) { // infinity or NaN
        return __uint_as_float(sign | 0x70000000u | magnitude);
    }
    // The exponent's bias is 15 there and 127 here; the product is exact, for subnormals too.
    float scale = 5.192296858534828e33f; // 2^112
    return __uint_as_float(sign | __float_as_uint(__uint_as_float(magnitude) * scale));
}

__device__ inline void store(float &to, float x) { to = x; }
__device__ inline void store(double &to, double x) { to = x; }
__device__ inline void store(long long &to, long long x) { to = x; }

__device__ inline void store(bf16 &to, float x) {
    unsigned bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        to.bits = (unsigned short)((bits >> 16) | 0x40u); // stays NaN
    } else {
        to.bits = (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
    }
}

__device__ inline void store(f16 &to, float x) {
    unsigned bits = __float_as_uint(x);
    unsigned sign = (bits >> 16) & 0x8000u;
    bits &= 0x7fffffffu;
    unsigned half;
    if (bits > 0x7f800000u) {
        half = 0x7e00u;
    } else if (bits >= 0x47800000u) { // 2^16 and more
        half = 0x7c00u;
    } else if (bits < 0x38800000u) { // below 2^-14: added to ½, whose last bit is worth 2^-24, it is rounded to that
        half = __float_as_uint(__uint_as_float(bits) + 0.5f) - 0x3f000000u;
    } else { // the carry of rounding may reach the exponent, and infinity
        half = (bits - 0x38000000u + 0xfffu + ((bits >> 13) & 1u)) >> 13;
    }
    to.bits = (unsigned short)(sign | half);
}

__device__ inline bool is_nan(float x) { return x != x; }
__device__ inline bool is_nan(double x) { return x != x; }

// Elements are taken by all threads of the grid in turn: for (i = first(); i < n; i += stride()).
__device__ inline long long first() { return (long long)blockIdx.x * blockDim.x + threadIdx.x; }
__device__ inline long long stride() { return (long long)gridDim.x * blockDim.x; }

