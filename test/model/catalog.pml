/* The catalog and its jobs: each step is one transaction. */

#define RIVAL(f)    (FIRST + SECOND - f) /* the other fragment for the same number */
#define RECONCILED  (TRUSTED(SOURCE) && TRUSTED(FIRST) && TRUSTED(SECOND))
#define ANOTHER_COPY(f) \
  (f == SOURCE -> row[FIRST] == ACTIVE || row[SECOND] == ACTIVE : row[SOURCE] == ACTIVE)

#ifdef NO_INBOX
#define IN_INBOX(f) false
#else
#define IN_INBOX(f) (row[f] != NONE)
#endif
#ifdef NO_SLOT
#define TAKEN(f)    false
#else
#define TAKEN(f)    HELD(RIVAL(f))
#endif
#ifdef NO_FENCE
#define TOO_OLD(f)  false
#else
#define TOO_OLD(f)  (f < attempt)
#endif
#define TOO_NEW(f)  (f > attempt) /* It was granted before the database went back. */

/* Every delivery gets a receipt, repeats too. UNKNOWN_IMAGE changes nothing anywhere: it is silence. */
proctype Committing(byte f) {
end:
  do
  :: atomic { offer[f] && !deaf ->
       if
       :: IN_INBOX(f)
       :: !IN_INBOX(f) && TAKEN(f) -> row[f] = QUARANTINED; verdict[f] = SUPERSEDED
       :: !IN_INBOX(f) && !TAKEN(f) && TOO_OLD(f) -> row[f] = QUARANTINED; verdict[f] = FENCED
       :: !IN_INBOX(f) && !TAKEN(f) && !TOO_OLD(f) && TOO_NEW(f)
       :: !IN_INBOX(f) && !TAKEN(f) && !TOO_OLD(f) && !TOO_NEW(f) ->
          row[f] = ACTIVE; verdict[f] = COMMITTED; commits[f]++
       fi;
       receipt[f] = verdict[f]; STAMP(f);
       ACKNOWLEDGE(offer[f], false) }
#ifdef RECEIPT_BEFORE_COMMIT
  :: atomic { offer[f] && row[f] == NONE -> receipt[f] = COMMITTED; STAMP(f) } /* and then it dies */
#endif
  od
}

proctype Answering(byte f) {
end:
  do
  :: atomic { call[f] == ASK -> call[f] = (row[f] == NONE -> UNKNOWN : verdict[f]) }
  :: atomic { call[f] == CLAIM -> call[f] = (row[f] == DELETING -> CONFIRMED : REFUSED) }
  :: atomic { call[f] == REPORT ->
       if
       :: row[f] == DELETING -> row[f] = DELETED
       :: else
       fi;
       call[f] = NONE }
  od
}

#ifdef NO_PIN
#define PINNED(f) false
#else
#define PINNED(f) (f == SOURCE && job == RUNNING)
#endif
#ifdef NO_LAST_COPY
#define MAY_GO(f) (!PINNED(f))
#else
#define MAY_GO(f) (!PINNED(f) && (expired || ANOTHER_COPY(f)))
#endif
#ifdef NO_RECHECK
#define MAY_STILL_GO(f) RECONCILED
#elif defined(GRANT_UNRECONCILED)
#define MAY_STILL_GO(f) MAY_GO(f)
#else
#define MAY_STILL_GO(f) (MAY_GO(f) && RECONCILED)
#endif

/* What people and policies want gone, and what they want back in the grace period. */
proctype Retaining(byte f) {
end:
  do
  :: atomic { row[f] == ACTIVE && MAY_GO(f) -> row[f] = TO_BE_DELETED }
  :: atomic { row[f] == TO_BE_DELETED -> row[f] = ACTIVE }
  :: atomic { row[f] == TO_BE_DELETED && MAY_STILL_GO(f) -> row[f] = DELETING; grant[f] = true }
  :: atomic { row[f] == QUARANTINED && (HELD(RIVAL(f)) || expired) && RECONCILED ->
       row[f] = DELETING; grant[f] = true }
#ifdef REVOKE_GRANT
  :: atomic { row[f] == DELETING -> row[f] = ACTIVE }
#endif
  od
}

/* A grant goes out again and again until the removal is reported. */
proctype Granting(byte f) {
end:
  do
  :: atomic { row[f] == DELETING && !grant[f] -> grant[f] = true }
  od
}

proctype Expiring() {
  expired = true
}

/* COMPLETE is derived. A failed attempt keeps what it made, and its number. */
proctype Duplicating() {
end:
  do
  :: atomic { job == NONE && row[SOURCE] == ACTIVE -> job = RUNNING; attempt = 1 }
  :: atomic { job == RUNNING && (HELD(FIRST) || HELD(SECOND)) -> job = COMPLETE }
  :: atomic { job == RUNNING -> job = FAILED }
  :: atomic { ATTEMPTS == 2 && attempt == 1 && row[SOURCE] == ACTIVE && !HELD(FIRST) &&
       (job == RUNNING || job == FAILED) -> job = RUNNING; attempt = 2 }
#ifdef COMPLETE_ON_SILENCE
  :: atomic { job == FAILED -> job = COMPLETE }
#endif
  od
}

#ifdef FAULTS
/* Compares the positions of stream and consumer, and makes the consumer anew. */
proctype Checking() {
end:
  do
  :: deaf = false
  od
}
#endif
