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
bool no_loss, by_tombstone, source_kept, exactly_once, complete_is_derived, silence, fenced,
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

/* That the model can do something. The checker says which of these it came by. */
proctype Goals() {
end:
  do
  :: atomic { journal[FIRST] == COMMITTED && job == COMPLETE -> printf("committed") }
  :: atomic { journal[SECOND] == COMMITTED && job == COMPLETE -> printf("committed_by_second") }
  :: atomic { journal[FIRST] == FENCED -> printf("fenced_off") }
  :: atomic { journal[FIRST] == SUPERSEDED -> printf("superseded") }
  :: atomic { row[SOURCE] == DELETED && (row[FIRST] == ACTIVE || row[SECOND] == ACTIVE) ->
       printf("source_deleted") }
  :: atomic { row[FIRST] == DELETED && verdict[FIRST] == FENCED -> printf("quarantine_released") }
#ifdef EXPIRES
  :: atomic { row[SOURCE] == DELETED && row[FIRST] == DELETED && expired -> printf("all_deleted") }
#endif
#ifdef REWIND
  :: atomic { epoch == 1 && RECONCILED && row[SOURCE] == DELETED && journal[FIRST] == COMMITTED ->
       printf("healed") }
#endif
  od
}
#else

/* I8: what is sealed gets a verdict, what was granted is done, what the database forgot is made good. */
#define JUDGED(f) (<> (journal[f] != SEALED))
#define DONE(f)   (<> (row[f] != DELETING))
ltl live { [] (ALL(JUDGED) && ALL(DONE) && <> RECONCILED) }
#endif
