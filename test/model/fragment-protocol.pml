/*
 * How fragments are committed and deleted, with every fault that the protocol promises to outlive.
 * docs/verification.md says what is in this model, what is not, and how to run it.
 *
 * An image has a source copy of one fragment, SOURCE. It is duplicated: attempt 1 writes FIRST; if
 * that takes too long, attempt 2 writes SECOND, for the same number of the new copy, while nobody
 * knows whether attempt 1 still runs. Each fragment is on a media server of its own. All of them may
 * be deleted one day.
 *
 * -DATTEMPTS=n  how often the duplication is tried: 1 or 2.
 * -DKEEP        nobody wants anything deleted.
 * -DEXPIRES     the image expires at some time: then its last copy may go.
 * -DREWIND      once, the catalog's database goes back to a state that it had.
 * -DFAULTS=n    at most n faults: for liveness. Without it there is no end of them: for safety.
 * Any other flag makes a mutant: it breaks the rule at which it stands.
 */
#define SOURCE 0
#define FIRST  1 /* The number of its attempt, too. */
#define SECOND 2
#define FRAGMENTS 3

mtype = { NONE,
  WHOLE, TRASHED,                                        /* bytes */
  INTENT, SEALED, CONDEMNED, REMOVED,                    /* journal, beside the verdicts */
  COMMITTED, SUPERSEDED, FENCED,                         /* verdicts */
  ACTIVE, QUARANTINED, TO_BE_DELETED, DELETING, DELETED, /* rows */
  RUNNING, FAILED, COMPLETE,                             /* jobs */
  ASK, CLAIM, REPORT, UNKNOWN, CONFIRMED, REFUSED        /* calls, beside the verdicts */
};
#define IS_VERDICT(x) (x == COMMITTED || x == SUPERSEDED || x == FENCED)

/* The media servers. Bytes and journal are on disk; a claim that was confirmed is in memory. */
mtype bytes[FRAGMENTS] = NONE;
mtype journal[FRAGMENTS] = NONE;
bool confirmed[FRAGMENTS];

/* The catalog, all of it in PostgreSQL. While the job runs it pins the source. */
mtype row[FRAGMENTS] = NONE;
mtype verdict[FRAGMENTS] = NONE;
byte attempt;
mtype job = NONE;
bool expired;
#define HELD(f) (verdict[f] == COMMITTED) /* its number, and for ever */

/* The broker: streams with at most one message to a fragment. */
bool offer[FRAGMENTS];
mtype receipt[FRAGMENTS] = NONE;
bool grant[FRAGMENTS];
bool deaf; /* The consumer's position is ahead of the stream: offers are stored, never delivered. */

/* Past the broker: one request of a fragment at a time, then the reply to it. */
mtype call[FRAGMENTS] = NONE;

/* Only the properties look at this: how often a commit changed the catalog. */
byte commits[FRAGMENTS];

#include "rewind.pml"
#include "faults.pml"
#include "media.pml"
#include "catalog.pml"
#include "properties.pml"

/* The checker tries the process that was started last first: rare events come last. */
init {
  byte f;
  atomic {
    bytes[SOURCE] = WHOLE; journal[SOURCE] = COMMITTED;
    row[SOURCE] = ACTIVE; verdict[SOURCE] = COMMITTED;
    for (f : SOURCE .. ATTEMPTS) {
      run Writing(f); run Offering(f); run Calling(f); run Hearing(f);
      run Committing(f); run Answering(f); run Losing(f);
#ifndef KEEP
      run Retaining(f); run Removing(f);
#ifndef GRANT_ONCE
      run Granting(f);
#endif
#endif
    }
    run Duplicating();
#ifdef EXPIRES
    run Expiring();
#endif
#ifdef FAULTS
    run Deafening();
#ifndef NO_CHECK
    run Checking();
#endif
#else
    run Properties(); run Goals();
#endif
#ifdef REWIND
    savedRow[SOURCE] = ACTIVE; savedVerdict[SOURCE] = COMMITTED;
    for (f : SOURCE .. ATTEMPTS) { run Adopting(f); run Reconciling(f) }
    run Rewinding()
#endif
  }
}
