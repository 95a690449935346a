// Enough of CUDA for a processor to run a kernel over its grid. A kernel that synchronises gets a thread for each of its
// block's, and blocks run one after the other.

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <math.h>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static

struct Three { unsigned x, y, z; };
static Three blockIdx, gridDim, blockDim = {THREADS, 1, 1};
static thread_local Three threadIdx;

static float __uint_as_float(unsigned bits) { float x; memcpy(&x, &bits, 4); return x; }
static unsigned __float_as_uint(float x) { unsigned bits; memcpy(&bits, &x, 4); return bits; }

static std::mutex gate;
static std::condition_variable opened;
static unsigned waiting, turn;

static void __syncthreads() {
    std::unique_lock<std::mutex> lock(gate);
    unsigned mine = turn;
    if (++waiting == THREADS) {
        waiting = 0;
        turn++;
        opened.notify_all();
    } else {
        opened.wait(lock, [mine] { return turn != mine; });
    }
}

// One launch: the arguments' bytes, none where a pointer is null.
struct Launch {
    std::string name;
    unsigned long long blocks, output;
    std::vector<std::vector<char>> arguments;
};

static void fail(const Launch &launch, const char *why) {
    fprintf(stderr, "%s: %s\n", launch.name.c_str(), why);
    exit(3);
}

template <class P, bool pointer = std::is_pointer<P>::value> struct Argument {
    static P of(Launch &launch, size_t i) {
        std::vector<char> &bytes = launch.arguments[i];
        return bytes.empty() ? nullptr : (P)(void *)bytes.data();
    }
};
template <class P> struct Argument<P, false> {
    static P of(Launch &launch, size_t i) {
        if (launch.arguments[i].size() != sizeof(P)) fail(launch, "a number of another size is expected");
        P x;
        memcpy(&x, launch.arguments[i].data(), sizeof(P));
        return x;
    }
};

template <class... P, size_t... I>
static void start(void (*kernel)(P...), Launch &launch, bool synchronises, std::index_sequence<I...>) {
    gridDim = {(unsigned)launch.blocks, 1, 1};
    auto thread = [&](unsigned id) {
        threadIdx = {id, 0, 0};
        kernel(Argument<P>::of(launch, I)...);
    };
    for (unsigned block = 0; block < launch.blocks; block++) {
        blockIdx = {block, 0, 0};
        if (synchronises) {
            std::vector<std::thread> threads;
            for (unsigned id = 0; id < THREADS; id++) threads.emplace_back(thread, id);
            for (std::thread &t : threads) t.join();
        } else {
            for (unsigned id = 0; id < THREADS; id++) thread(id);
        }
    }
}

template <class... P> static void start(void (*kernel)(P...), Launch &launch, bool synchronises) {
    if (launch.arguments.size() != sizeof...(P)) fail(launch, "another number of arguments is expected");
    start(kernel, launch, synchronises, std::index_sequence_for<P...>());
}

static void dispatch(Launch &launch);

static unsigned long long number(FILE *file) {
    unsigned long long n = 0;
    if (fread(&n, 8, 1, file) != 1) exit(4);
    return n;
}

template <class Bytes> static void bytes(FILE *file, Bytes &to) {
    to.resize(number(file));
    if (!to.empty() && fread(&to[0], 1, to.size(), file) != to.size()) exit(4);
    to.shrink_to_fit();
}

// Reads launches from the first file and writes what their outputs hold then to the second.
int main(int, char **names) {
    FILE *in = fopen(names[1], "rb"), *out = fopen(names[2], "wb");
    if (!in || !out) return 4;
    for (unsigned long long left = number(in); left > 0; left--) {
        Launch launch;
        bytes(in, launch.name);
        launch.blocks = number(in);
        launch.output = number(in);
        launch.arguments.resize(number(in));
        for (auto &argument : launch.arguments) bytes(in, argument);
        dispatch(launch);
        const std::vector<char> &result = launch.arguments[launch.output];
        if (!result.empty()) fwrite(result.data(), 1, result.size(), out);
    }
    return fclose(out);
}
