/*
 * mask: the one door through which personal fields leave the server.
 *
 * Phones, customer numbers, names, addresses and the free text of a ticket are
 * masked for everybody; whole only without access control and in the one ticket
 * that a supervisor unmasks for a reason (unmask.h). Every serialiser calls
 * mask_field, so that a new list can't forget it.
 *
 * Source    个人信息保护法 art. 51; GB/T 35273-2020, 7.2
 * Effects   none
 */
#ifndef SERVE_MASK_H
#define SERVE_MASK_H

#include "analyzers/span.h"
#include "server/base/buf.h"

enum mask_role {
    MASK_ROLE_VIEWER,    /* sees masked fields */
    MASK_ROLE_SUPERVISOR /* sees everything: unmasked, or no access control */
};

enum mask_field {
    MASK_PHONE,    /* 138****5678; landlines keep area code and last two */
    MASK_CUSTOMER, /* 995****923: first three, last three */
    MASK_NAME,     /* 张* */
    MASK_ADDRESS,  /* to the street or village */
    MASK_TEXT,     /* mobile, landline and identity numbers in free text, also
                      with gaps, hyphens or full-width digits; any longer number
                      behind 电话, 户号 and the like */
    MASK_PIECE,    /* the same, cut out of a text: numbers at its ends, too */
    MASK_RAW       /* a line that could not be read: nothing of it */
};

/*
 * The field as this role may see it: `value` itself, or what was written to
 * `scratch` (emptied first; borrowed until its next use). An empty value stays
 * empty. Cost O(bytes).
 */
struct span mask_field(enum mask_role role,
                       enum mask_field field,
                       struct span value,
                       struct buf *scratch);

#endif /* SERVE_MASK_H */
