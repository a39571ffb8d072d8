/* SPDX-License-Identifier: Apache-2.0 */
/*
 * M, B and S such that clamp((acc * M + B) >> S) equals a given staircase.
 *
 * For a fixed S each piece [first, last] with value q gives two half planes of (M, B), where M >= 0
 * (a falling staircase is mirrored, acc -> -acc):
 *
 *     M * first + B >= q * 2^S             unless q is the minimum, where clamping does it
 *     M * last  + B <= (q + 1) * 2^S - 1   unless q is the maximum
 *
 * and the 48 bits of acc * M + B give four more. Each lower bound l and upper bound u together
 * bound M alone: M * (u.x - l.x) <= u.value - l.value. So an M that violates a pair says in which
 * direction, and how far, M must move: bisection over M with these cuts ends at an exact answer.
 * A triple that works for S also works doubled for S + 1, until it leaves its widths; the smallest
 * S wins. Where none works, a rule for ties is tried: with it a level that ties go down from needs
 * one more at its first acc, and leaves one more to the last acc below. All numbers stay below
 * 2^57.
 */
#include "compile/compile.h"

#include <string.h>

#define BOUNDS (COMPILE_MAX_LEVELS + 2)

/* M * x + B >= value, or <= value. */
struct bound {
    int64_t x, value;
};

struct bounds {
    struct bound lower[BOUNDS], upper[BOUNDS];
    size_t lower_count, upper_count;
};

/* The staircase seen from left to right and rising. */
struct rising {
    const struct compile_staircase *staircase;
    bool mirrored;
    enum bittern_ties ties;
    int64_t stride;
    int32_t minimum, maximum;
    int64_t acc_min, acc_max;
};

static struct compile_piece rising_piece(const struct rising *r, size_t i)
{
    if (!r->mirrored) {
        return r->staircase->pieces[i];
    }
    struct compile_piece piece = r->staircase->pieces[r->staircase->count - 1 - i];
    int64_t first = -piece.last;
    piece.last = -piece.first;
    piece.first = first;
    return piece;
}

/* Does acc * M + B == q * 2^S give q - 1? */
static bool goes_down(const struct rising *r, int64_t q)
{
    bool is_odd = q % 2 != 0;
    return r->ties != BITTERN_TIES_UP && is_odd == (r->ties == BITTERN_TIES_EVEN);
}

static void list_bounds(const struct rising *r, unsigned shift, struct bounds *b)
{
    const int64_t limit = INT64_C(1) << (NETWORK_PRODUCT_BITS - 1);
    const int64_t unit = INT64_C(1) << shift;

    b->lower_count = b->upper_count = 0;
    for (size_t i = 0; i < r->staircase->count; i++) {
        struct compile_piece piece = rising_piece(r, i);
        if (piece.q > r->minimum) {
            b->lower[b->lower_count++] =
                (struct bound){piece.first, piece.q * unit + goes_down(r, piece.q)};
        }
        if (piece.q < r->maximum) {
            b->upper[b->upper_count++] =
                (struct bound){piece.last, (piece.q + 1) * unit - !goes_down(r, piece.q + 1)};
        }
    }
    b->lower[b->lower_count++] = (struct bound){r->acc_min, -limit};
    b->upper[b->upper_count++] = (struct bound){r->acc_max, limit - 1};
    /* B itself fits, too: the bounds where acc is 0. */
    b->lower[b->lower_count++] = (struct bound){0, -limit};
    b->upper[b->upper_count++] = (struct bound){0, limit - 1};
}

/* The bound that B meets last for this M, and B there. */
static int64_t tightest_lower(const struct bounds *b, int64_t m, size_t *which)
{
    int64_t best = INT64_MIN;
    for (size_t i = 0; i < b->lower_count; i++) {
        int64_t offset = b->lower[i].value - m * b->lower[i].x;
        if (offset > best) {
            best = offset;
            *which = i;
        }
    }
    return best;
}

static int64_t tightest_upper(const struct bounds *b, int64_t m, size_t *which)
{
    int64_t best = INT64_MAX;
    for (size_t i = 0; i < b->upper_count; i++) {
        int64_t offset = b->upper[i].value - m * b->upper[i].x;
        if (offset < best) {
            best = offset;
            *which = i;
        }
    }
    return best;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    int64_t quotient = a / b;
    return quotient - (a % b != 0 && (a < 0) != (b < 0));
}

/* An M, and the middle of its interval of B, that satisfy all bounds. */
static bool solve(const struct bounds *b, int64_t *m, int64_t *offset)
{
    int64_t low = 0;
    int64_t high = NETWORK_MAX_MULTIPLIER;

    while (low <= high) {
        int64_t middle = low + (high - low) / 2;
        size_t l = 0;
        size_t u = 0;
        int64_t from = tightest_lower(b, middle, &l);
        int64_t to = tightest_upper(b, middle, &u);
        if (from <= to) {
            *m = middle;
            *offset = from + (to - from) / 2;
            return true;
        }
        /* This pair fails: M * dx <= room, and middle * dx > room. */
        int64_t dx = b->upper[u].x - b->lower[l].x;
        int64_t room = b->upper[u].value - b->lower[l].value;
        if (dx == 0) {
            return false;
        }
        if (dx > 0) {
            high = floor_div(room, dx);
        } else {
            low = -floor_div(room, -dx);
        }
    }
    return false;
}

static int64_t clamp_q(const struct rising *r, int64_t q)
{
    return q < r->minimum ? r->minimum : q > r->maximum ? r->maximum : q;
}

/* Lattice points in first..last. */
static uint64_t points(const struct rising *r, int64_t first, int64_t last)
{
    return last < first ? 0 : (uint64_t)((last - first) / r->stride) + 1;
}

/* How many values of a piece come out wrong; UINT64_MAX where one does by more than a level. */
static uint64_t count_wrong_in(const struct rising *r, const struct compile_piece *piece, int64_t m,
                               int64_t offset, unsigned shift)
{
    int64_t at_first = clamp_q(r, (piece->first * m + offset) >> shift);
    int64_t at_last = clamp_q(r, (piece->last * m + offset) >> shift);
    if (at_first < piece->q - 1 || at_last > piece->q + 1) {
        return UINT64_MAX;
    }
    uint64_t wrong = 0;
    int64_t unit = INT64_C(1) << shift;
    if (at_first < piece->q) {
        /* Right from the first x on with m * x + offset >= q * unit. */
        int64_t right = m > 0 ? -floor_div(-(piece->q * unit - offset), m) : piece->last + 1;
        int64_t steps = -floor_div(-(right - piece->first), r->stride);
        int64_t all = (int64_t)points(r, piece->first, piece->last);
        wrong += (uint64_t)(steps < all ? steps : all);
    }
    if (at_last > piece->q) {
        int64_t right = m > 0 ? floor_div((piece->q + 1) * unit - 1 - offset, m) : piece->first - 1;
        int64_t all = (int64_t)points(r, piece->first, piece->last);
        int64_t steps = -floor_div(-(piece->last - right), r->stride);
        wrong += (uint64_t)(steps < all ? steps : all);
    }
    return wrong;
}

static uint64_t count_wrong(const struct rising *r, int64_t m, int64_t offset, unsigned shift)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < r->staircase->count; i++) {
        struct compile_piece piece = rising_piece(r, i);
        uint64_t wrong = count_wrong_in(r, &piece, m, offset, shift);
        if (wrong == UINT64_MAX) {
            return UINT64_MAX;
        }
        sum += wrong;
    }
    return sum;
}

/* Try all B where some bound starts or stops to hold for this M; keep the best. */
static void try_multiplier(const struct rising *r, const struct bounds *b, int64_t m,
                           unsigned shift, struct compile_scale *best)
{
    const int64_t limit = INT64_C(1) << (NETWORK_PRODUCT_BITS - 1);
    int64_t from = -limit - m * (r->acc_min < 0 ? r->acc_min : 0);
    int64_t to = limit - 1 - m * (r->acc_max > 0 ? r->acc_max : 0);

    for (size_t i = 0; i < b->lower_count + b->upper_count; i++) {
        const struct bound *bound =
            i < b->lower_count ? &b->lower[i] : &b->upper[i - b->lower_count];
        int64_t offset = bound->value - m * bound->x;
        if (offset < from || offset > to) {
            continue;
        }
        uint64_t wrong = count_wrong(r, m, offset, shift);
        if (wrong < best->wrong) {
            *best = (struct compile_scale){.multiplier = (int32_t)m,
                                           .offset = offset,
                                           .shift = (uint8_t)shift,
                                           .wrong = wrong};
        }
    }
}

/*
 * No triple is right everywhere: take slopes through pairs of bounds, one of the first and one of
 * the last few, at the finest shift that keeps M in its width.
 */
static void find_nearest(const struct rising *r, struct compile_scale *best)
{
    enum { ENDS = 4 };
    struct bounds b;

    best->wrong = UINT64_MAX;
    for (unsigned shift = NETWORK_MAX_SHIFT + 1; shift-- > 0 && best->wrong == UINT64_MAX;) {
        list_bounds(r, shift, &b);
        size_t lower = b.lower_count - 2;
        size_t upper = b.upper_count - 2;
        for (size_t i = 0; i < lower && i < ENDS; i++) {
            for (size_t j = 0; j < upper && j < ENDS; j++) {
                const struct bound *l = &b.lower[i];
                const struct bound *u = &b.upper[upper - 1 - j];
                if (u->x <= l->x || u->value < l->value) {
                    continue;
                }
                int64_t m = floor_div(u->value - l->value, u->x - l->x);
                if (m <= NETWORK_MAX_MULTIPLIER) {
                    try_multiplier(r, &b, m, shift, best);
                }
            }
        }
    }
}

/* The smallest shift with a triple that is right everywhere. */
static bool find_exact(const struct rising *r, struct compile_scale *scale)
{
    struct bounds b;

    for (unsigned shift = r->ties == BITTERN_TIES_UP ? 0 : 1; shift <= NETWORK_MAX_SHIFT; shift++) {
        int64_t m;
        int64_t offset;
        list_bounds(r, shift, &b);
        if (solve(&b, &m, &offset)) {
            *scale = (struct compile_scale){.multiplier = (int32_t)m,
                                            .offset = offset,
                                            .shift = (uint8_t)shift,
                                            .ties = (uint8_t)r->ties};
            return true;
        }
    }
    return false;
}

bool compile_find_scale(const struct compile_staircase *staircase, int64_t stride, int32_t minimum,
                        int32_t maximum, int64_t acc_min, int64_t acc_max,
                        struct compile_scale *scale)
{
    const struct compile_piece *pieces = staircase->pieces;
    size_t last = staircase->count - 1;

    *scale = (struct compile_scale){0};
    if (staircase->count == 1) {
        scale->offset = pieces[0].q;
        return true;
    }
    bool mirrored = pieces[last].q < pieces[0].q;
    struct rising r = {
        .staircase = staircase,
        .mirrored = mirrored,
        .stride = stride,
        .minimum = minimum,
        .maximum = maximum,
        .acc_min = mirrored ? -acc_max : acc_min,
        .acc_max = mirrored ? -acc_min : acc_max,
    };
    bool exact = find_exact(&r, scale);
    for (unsigned ties = BITTERN_TIES_EVEN; ties <= BITTERN_TIES_ODD && !exact; ties++) {
        r.ties = (enum bittern_ties)ties;
        exact = find_exact(&r, scale);
    }
    if (!exact) {
        r.ties = BITTERN_TIES_UP;
        find_nearest(&r, scale);
    }
    if (mirrored) {
        scale->multiplier = -scale->multiplier;
    }
    return scale->wrong != UINT64_MAX;
}
