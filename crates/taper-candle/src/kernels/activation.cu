// Activation functions and their derivatives, and some more functions of one number. They are numbered, with their
// parameters a and b, as in activation.rs. NaN stays NaN, in derivatives too; at infinities the limits count.

// 1 / (1 + e^-x) without overflow, to full relative precision on both sides.
__device__ inline A sigmoid(A x) {
    A e = exp(-fabs(x));
    return (x < (A)0 ? e : (A)1) / ((A)1 + e);
}

// sigmoid x (1 - sigmoid x), likewise.
__device__ inline A sigmoid_slope(A x) {
    A e = exp(-fabs(x));
    return e / (((A)1 + e) * ((A)1 + e));
}

// x, no further from 0 than the bound; NaN stays.
__device__ inline A within(A x, A bound) { return x > bound ? bound : x < -bound ? -bound : x; }

// e^(-f x^2): what the rounding of the square takes away is put back, since the power multiplies it by its size.
__device__ inline A exp_neg_square(A f, A x) {
    A near = within(x, (A)40), square = near * near, rest = fma(near, near, -square);
    A power = exp(-f * square);
    return power - power * (f * rest);
}

// The normal distribution's density.
__device__ inline A normal_pdf(A x) { return (A)0.39894228040143267794 * exp_neg_square((A)0.5, x); }

// The normal distribution function: erfc(s) / 2 with s = -x / sqrt(2), what s lacks by its derivative.
__device__ inline A normal(A x) {
    const A c = (A)0.70710678118654752440, more = (A)(0.70710678118654752440 - (double)c - 4.833646656726457e-17);
    A near = within(x, (A)40), s = -near * c, rest = fma(-near, c, -s) - near * more;
    return (A)0.5 * erfc(s) - rest * ((A)0.56418958354775628695 * exp(-s * s));
}

// 2u, with u what GELU's approximation takes the hyperbolic tangent of: ½ (1 + tanh u) = sigmoid 2u.
__device__ inline A gelu_inner(A x) {
    x = within(x, (A)30);
    return (A)1.59576912160573071176 * (x + (A)0.044715 * x * x * x);
}

// g above 0, below elsewhere, NaN where x is.
__device__ inline A gate(A x, A g, A below) { return x > (A)0 ? g : x <= (A)0 ? below : x; }

KERNEL activation(const T *from, T *to, long long n, long long which, A a, A b) {
    for (long long i = first(); i < n; i += stride()) {
        A x = load(from[i]), y;
        switch (which) {
            case 1: y = x > (A)0 || is_nan(x) ? x : (A)0; break;
            case 2: y = x > (A)0 ? x : a * x; break;
            case 3: y = x > (A)0 ? x : a * expm1(x); break;
            // Far below they are nothing, and must not be an infinite number of it.
            case 4: y = (x < (A)-1000 ? (A)-1000 : x) * normal(x); break;
            case 5: y = (x < (A)-1000 ? (A)-1000 : x) * sigmoid(gelu_inner(x)); break;
            case 6: y = (x < (A)-1000 ? (A)-1000 : x) * sigmoid(x); break;
            case 7: y = sigmoid(x); break;
            case 8: y = tanh(x); break;
            case 9: {
                A z = a * x;
                y = z > b ? x : ((z > (A)0 ? z : (A)0) + log1p(exp(-fabs(z)))) / a;
                y = is_nan(x) ? x : y;
                break;
            }
            case 10: y = x <= (A)-3 ? (A)0 : x >= (A)3 ? x : x * (x + (A)3) / (A)6; break;
            case 11: y = expm1(x); break;
            case 12: y = exp_neg_square((A)1, x); break;
            case 13: y = normal(x); break;
            case 14: y = normal_pdf(x); break;
            case 15: y = atan(x); break;
            default: y = x; break;
        }
        store(to[i], y);
    }
}

KERNEL activation_grad(const T *from, const T *gradient, T *to, long long n, long long which, A a, A b) {
    for (long long i = first(); i < n; i += stride()) {
        A x = load(from[i]), g = load(gradient[i]), y;
        switch (which) {
            case 1: y = gate(x, g, (A)0); break;
            case 2: y = gate(x, g, a * g); break;
            case 3: y = x > (A)0 ? g : g * (a * exp(x)); break;
            case 4: y = g * (normal(x) + within(x, (A)1000) * normal_pdf(x)); break;
            case 5: {
                A z = gelu_inner(x);
                A inner = (A)1.59576912160573071176 * ((A)1 + (A)0.134145 * x * x);
                // Past 20 the second term is 0, but its squares may overflow.
                A curve = fabs(x) > (A)20 ? (A)0 : x * sigmoid_slope(z) * inner;
                y = g * (sigmoid(z) + curve);
                break;
            }
            case 6: {
                A s = sigmoid(x);
                y = g * (s * ((A)1 + within(x, (A)1000) * sigmoid(-x)));
                break;
            }
            case 7: y = g * sigmoid_slope(x); break;
            // 1 - tanh² x = 4 sigmoid'(2x), without cancellation
            case 8: y = g * ((A)4 * sigmoid_slope(x + x)); break;
            case 9: y = a * x > b ? g : g * sigmoid(a * x); break;
            case 10: y = x <= (A)-3 ? (A)0 : x >= (A)3 ? g : g * ((x + x + (A)3) / (A)6); break;
            default: y = g; break;
        }
        store(to[i], y);
    }
}
