/* The invariants, what must be possible, and what must happen. I1 to I8 are those of the protocol. */

#define THERE(f, state) (row[f] != state || bytes[f] == WHOLE || !TRUSTED(f))
#define NO_LOSS(f)      (THERE(f, ACTIVE) && THERE(f, TO_BE_DELETED))
#define BY_TOMBSTONE(f) (bytes[f] != TRASHED || row[f] == DELETING || row[f] == DELETED || !TRUSTED(f))
#define SILENCE(f)      (!IS_VERDICT(journal[f]) || journal[f] == verdict[f] || !TRUSTED(f))
#ifdef REWIND
#define GOOD(f)         (bytes[f] == WHOLE)
#else
#define GOOD(f)         (bytes[f] == WHOLE && row[f] == ACTIVE)
#endif
#define ALL(p)          (p(SOURCE) && p(FIRST) && p(SECOND))
#define ANY(p)          (p(SOURCE) || p(FIRST) || p(SECOND))

#ifndef FAULTS
/* Each is false. The checker prints the name of the one that it finds asserted. */
hidden byte no_loss, by_tombstone, source_kept, exactly_once, complete_is_derived, silence, fenced,
  last_copy;

proctype Properties() {
end:
  do
  :: atomic { !ALL(NO_LOSS) -> assert(no_loss) }                                            /* I1 */
  :: atomic { !ALL(BY_TOMBSTONE) -> assert(by_tombstone) }                                  /* I2 */
  :: atomic { job == RUNNING && bytes[SOURCE] != WHOLE && TRUSTED(SOURCE) ->                /* I3 */
       assert(source_kept) }
  :: atomic { commits[FIRST] + commits[SECOND] > 1 -> assert(exactly_once) }                /* I4 */
  :: atomic { job == COMPLETE && !HELD(FIRST) && !HELD(SECOND) ->                           /* I5 */
       assert(complete_is_derived) }
  :: atomic { !ALL(SILENCE) -> assert(silence) }                                            /* I6 */
#ifndef REWIND /* A database that went back may have forgotten the attempt to which it promised the number. */
  :: atomic { attempt == 2 && verdict[SECOND] == SUPERSEDED -> assert(fenced) }             /* I7 */
#endif
  :: atomic { !expired && !ANY(GOOD) -> assert(last_copy) }
  od
}

/* The checker says which of these were set: then such a state can be reached. */
hidden byte committed, committed_by_second, fenced_off, superseded, source_deleted, quarantine_released,
  all_deleted, healed;

proctype Goals() {
end:
  do
  :: atomic { journal[FIRST] == COMMITTED && job == COMPLETE -> committed = true }
  :: atomic { journal[SECOND] == COMMITTED && job == COMPLETE -> committed_by_second = true }
  :: atomic { journal[FIRST] == FENCED -> fenced_off = true }
  :: atomic { journal[FIRST] == SUPERSEDED -> superseded = true }
  :: atomic { row[SOURCE] == DELETED && (row[FIRST] == ACTIVE || row[SECOND] == ACTIVE) ->
       source_deleted = true }
  :: atomic { row[FIRST] == DELETED && verdict[FIRST] == FENCED -> quarantine_released = true }
#ifdef EXPIRES
  :: atomic { row[SOURCE] == DELETED && row[FIRST] == DELETED && expired -> all_deleted = true }
#endif
#ifdef REWIND
  :: atomic { epoch == 1 && RECONCILED && row[SOURCE] == DELETED && journal[FIRST] == COMMITTED ->
       healed = true }
#endif
  od
}
#else

/* I8: what is sealed gets a verdict, what was granted is done, what the database forgot is made good. */
#define JUDGED(f) (<> (journal[f] != SEALED))
#define DONE(f)   (<> (row[f] != DELETING))
ltl live { [] (ALL(JUDGED) && ALL(DONE) && <> RECONCILED) }
#endif
