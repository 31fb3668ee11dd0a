/*
 * The catalog's database goes back in time: a restore, or a failover that lost the last transactions.
 * The catalog begins a new epoch, and knows that it may have forgotten something.
 */
#ifdef REWIND
byte epoch;                  /* of the catalog; every message from it carries it */
byte known[FRAGMENTS];       /* the epoch that the media server heard of */
byte receiptEpoch[FRAGMENTS];
mtype inventory[FRAGMENTS] = NONE; /* the message, as the media server listed it in this epoch */
bool reconciled[FRAGMENTS] = true; /* whether the catalog has it */
mtype savedRow[FRAGMENTS] = NONE;
mtype savedVerdict[FRAGMENTS] = NONE;
byte savedAttempt;
mtype savedJob = NONE;

#define TRUSTED(f)  (reconciled[f])
#define STALE(f)    (receiptEpoch[f] < known[f])
#define STAMP(f)    receiptEpoch[f] = epoch
#define UNSTAMP(f)  if :: receipt[f] == NONE -> receiptEpoch[f] = 0 :: else fi

proctype Rewinding() {
  byte f;
end:
  do
  :: atomic { epoch == 0 ->
       for (f : SOURCE .. ATTEMPTS) { savedRow[f] = row[f]; savedVerdict[f] = verdict[f] }
       savedAttempt = attempt; savedJob = job;
       f = 0 }
  :: atomic { epoch == 0 ->
       for (f : SOURCE .. ATTEMPTS) {
         row[f] = savedRow[f]; verdict[f] = savedVerdict[f]; commits[f] = HELD(f);
         savedRow[f] = NONE; savedVerdict[f] = NONE;
         reconciled[f] = false
       }
       attempt = savedAttempt; job = savedJob;
       savedAttempt = 0; savedJob = NONE;
       epoch = 1; f = 0 }
  od
}

/*
 * A new epoch. To hear of it late is to look late: epochs only rise. Nothing that the catalog said
 * before counts any longer, so the fragment is listed, and offered again if it is there.
 */
proctype Adopting(byte f) {
end:
  do
  :: atomic { known[f] < epoch ->
       known[f] = epoch;
       call[f] = NONE;
#ifndef KEEP_CONFIRMATION
       confirmed[f] = false;
#endif
       if
#ifndef NO_REOFFER
       :: IS_VERDICT(journal[f]) -> journal[f] = SEALED
#endif
       :: journal[f] == CONDEMNED && bytes[f] == WHOLE && !confirmed[f] -> journal[f] = SEALED
       :: else
       fi;
       inventory[f] = (bytes[f] == NONE -> INTENT : bytes[f]) }
  od
}

/* What was removed stays removed, and what was granted stays granted, whatever the database forgot. */
proctype Reconciling(byte f) {
end:
  do
  :: atomic { inventory[f] != NONE ->
       if
       :: inventory[f] == TRASHED && row[f] != DELETED ->
          row[f] = DELETED;
          if
          :: f == SOURCE && job == RUNNING -> job = FAILED
          :: else
          fi
       :: else
       fi;
       if
       :: attempt < f -> attempt = f
       :: else
       fi;
       inventory[f] = NONE; reconciled[f] = true }
  od
}
#else
#define TRUSTED(f)  true
#define STALE(f)    false
#define STAMP(f)    skip
#define UNSTAMP(f)  skip
#endif
