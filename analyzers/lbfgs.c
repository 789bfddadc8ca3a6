/* L-BFGS with a line search by halving. */
#include "analyzers/lbfgs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY = 8,       /* steps L-BFGS remembers */
    HALVINGS_MAX = 20 /* of one step */
};

static const double gradient_end = 1e-3; /* largest slope left at the end */
static const double armijo_share = 1e-4; /* of the promised decrease */

/* Nocedal & Wright, Numerical Optimization, algorithms 7.4 and 7.5. */
struct solver {
    size_t size;
    double *memory; /* all of the below */
    double *weights;
    double *slope;
    double *next;
    double *next_slope;
    double *direction;
    double *steps[MEMORY];
    double *bends[MEMORY];
    double curvature[MEMORY]; /* 1 / (step . bend) */
    size_t kept;
};

static bool
solver_init(struct solver *solver, size_t size)
{
    double *at;

    solver->size = size;
    solver->memory = calloc((5 + 2 * MEMORY) * size, sizeof(double));
    if (solver->memory == NULL) {
        return false;
    }
    at = solver->memory;
    solver->weights = at;
    solver->slope = at += size;
    solver->next = at += size;
    solver->next_slope = at += size;
    solver->direction = at += size;
    for (size_t i = 0; i < MEMORY; i++) {
        solver->steps[i] = at += size;
        solver->bends[i] = at += size;
    }
    return true;
}

static double
dot(const double *a, const double *b, size_t size)
{
    double sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

static void
add_scaled(double *to, const double *what, double scale, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] += scale * what[i];
    }
}

/* The two loops: the slope, bent by what earlier steps met. */
static void
find_direction(struct solver *solver)
{
    double shares[MEMORY];
    double scale = 1.0;

    for (size_t i = 0; i < solver->size; i++) {
        solver->direction[i] = -solver->slope[i];
    }
    for (size_t k = solver->kept; k-- > 0;) {
        shares[k] = solver->curvature[k] *
                    dot(solver->steps[k], solver->direction, solver->size);
        add_scaled(solver->direction, solver->bends[k], -shares[k],
                   solver->size);
    }
    if (solver->kept > 0) {
        const double *bend = solver->bends[solver->kept - 1];

        scale = 1.0 / (solver->curvature[solver->kept - 1] *
                       dot(bend, bend, solver->size));
    } else {
        scale = 1.0 / sqrt(dot(solver->slope, solver->slope, solver->size));
    }
    for (size_t i = 0; i < solver->size; i++) {
        solver->direction[i] *= scale;
    }
    for (size_t k = 0; k < solver->kept; k++) {
        double back = solver->curvature[k] *
                      dot(solver->bends[k], solver->direction, solver->size);

        add_scaled(solver->direction, solver->steps[k], shares[k] - back,
                   solver->size);
    }
}

/* Keep the step just made, dropping the oldest. */
static void
remember_step(struct solver *solver)
{
    double *step;
    double *bend;
    double product;

    if (solver->kept == MEMORY) {
        step = solver->steps[0];
        bend = solver->bends[0];
        memmove(solver->steps, solver->steps + 1,
                (MEMORY - 1) * sizeof(*solver->steps));
        memmove(solver->bends, solver->bends + 1,
                (MEMORY - 1) * sizeof(*solver->bends));
        memmove(solver->curvature, solver->curvature + 1,
                (MEMORY - 1) * sizeof(*solver->curvature));
        solver->kept--;
        solver->steps[solver->kept] = step;
        solver->bends[solver->kept] = bend;
    }
    step = solver->steps[solver->kept];
    bend = solver->bends[solver->kept];
    for (size_t i = 0; i < solver->size; i++) {
        step[i] = solver->next[i] - solver->weights[i];
        bend[i] = solver->next_slope[i] - solver->slope[i];
    }
    product = dot(step, bend, solver->size);
    if (product > 1e-12) {
        solver->curvature[solver->kept++] = 1.0 / product;
    }
}

static double
steepest(const double *slope, size_t size)
{
    double most = 0;

    for (size_t i = 0; i < size; i++) {
        most = fabs(slope[i]) > most ? fabs(slope[i]) : most;
    }
    return most;
}

static void
solve(struct solver *solver, lbfgs_fn *loss, void *context)
{
    double value = loss(context, solver->weights, solver->slope);

    for (size_t round = 0; round < LBFGS_ROUNDS_MAX; round++) {
        double length = 1.0;
        double next_value = value;
        double promise;
        size_t halvings = 0;

        if (steepest(solver->slope, solver->size) < gradient_end) {
            return;
        }
        find_direction(solver);
        promise = dot(solver->slope, solver->direction, solver->size);
        for (;; halvings++) {
            memcpy(solver->next, solver->weights,
                   solver->size * sizeof(double));
            add_scaled(solver->next, solver->direction, length, solver->size);
            next_value = loss(context, solver->next, solver->next_slope);
            if (next_value <= value + armijo_share * length * promise ||
                halvings == HALVINGS_MAX) {
                break;
            }
            length /= 2;
        }
        if (halvings == HALVINGS_MAX) {
            return; /* as good as numbers allow */
        }
        remember_step(solver);
        memcpy(solver->weights, solver->next, solver->size * sizeof(double));
        memcpy(solver->slope, solver->next_slope,
               solver->size * sizeof(double));
        value = next_value;
    }
}

enum err_code
lbfgs_minimize(lbfgs_fn *loss,
               void *context,
               double *weights,
               size_t size,
               struct err *err)
{
    struct solver solver = {.size = 0};

    if (!solver_init(&solver, size)) {
        return err_set(err, ERR_NO_MEMORY, "train");
    }
    memcpy(solver.weights, weights, size * sizeof(*weights));
    solve(&solver, loss, context);
    memcpy(weights, solver.weights, size * sizeof(*weights));
    free(solver.memory);
    return ERR_OK;
}
