/*
 * lbfgs: the place where a smooth function of many numbers is smallest.
 *
 * Method    limited-memory BFGS (Nocedal & Wright, Numerical Optimization,
 *           algorithms 7.4 and 7.5), steps halved until they bring enough
 * Effects   allocates; the same function and start give the same place
 */
#ifndef ANALYZERS_LBFGS_H
#define ANALYZERS_LBFGS_H

#include <stddef.h>

#include "analyzers/err.h"

enum { LBFGS_ROUNDS_MAX = 80 };

/* The value at `weights`; its slope goes to slope[size]. */
typedef double lbfgs_fn(void *context, const double *weights, double *slope);

/* From where weights[size] are to where the slope is flat, or the rounds are
 * used up.  Errors  NO_MEMORY */
enum err_code lbfgs_minimize(lbfgs_fn *loss,
                             void *context,
                             double *weights,
                             size_t size,
                             struct err *err) MUST_CHECK;

#endif /* ANALYZERS_LBFGS_H */
