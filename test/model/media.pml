/* The media servers: what each does for a fragment. */

/* The order to write arrives at any time after its attempt was granted. */
proctype Writing(byte f) {
end:
  do
  :: atomic { journal[f] == NONE && attempt >= f -> journal[f] = INTENT }
  :: atomic { journal[f] == INTENT && bytes[f] == NONE && bytes[SOURCE] == WHOLE -> bytes[f] = WHOLE }
  :: atomic { journal[f] == INTENT && bytes[f] == WHOLE -> journal[f] = SEALED }
#ifdef DELETE_ON_SILENCE
  :: atomic { journal[f] == SEALED && bytes[SOURCE] == WHOLE -> bytes[SOURCE] = TRASHED }
#endif
  od
}

/* The broker acknowledges at once. That means nothing: the fragment is offered until there is a verdict. */
proctype Offering(byte f) {
end:
  do
  :: atomic { journal[f] == SEALED && !offer[f] -> offer[f] = true }
#ifdef OFFER_ONCE
     -> break
#endif
#ifdef TRUST_ACKNOWLEDGEMENT
  :: atomic { journal[f] == SEALED && offer[f] -> journal[f] = COMMITTED }
#endif
  od
}

/* What is said past the broker. */
proctype Calling(byte f) {
end:
  do
  :: atomic { call[f] == NONE && journal[f] == SEALED -> call[f] = ASK }
  :: atomic { call[f] == NONE && journal[f] == CONDEMNED && bytes[f] == WHOLE && !confirmed[f] ->
       call[f] = CLAIM }
  :: atomic { call[f] == NONE && journal[f] == REMOVED && grant[f] ->
       call[f] = REPORT; grant[f] = false }
  od
}

/* Verdicts, as receipt or as reply. */
proctype Hearing(byte f) {
end:
  do
  :: atomic { receipt[f] != NONE ->
       if
       :: journal[f] == SEALED && !STALE(f) -> journal[f] = receipt[f]
       :: else
       fi;
       ACKNOWLEDGE(receipt[f], NONE);
       UNSTAMP(f) }
  :: atomic { IS_VERDICT(call[f]) ->
       if
       :: journal[f] == SEALED -> journal[f] = call[f]
       :: else
       fi;
       call[f] = NONE }
  :: atomic { call[f] == UNKNOWN ->
#ifdef SWEEP_UNKNOWN
       bytes[f] = TRASHED;
#endif
       call[f] = NONE }
  od
}

#ifdef SKIP_CLAIM
#define CLAIMED(f) true
#else
#define CLAIMED(f) (confirmed[f])
#endif

/* The only place that removes bytes. */
proctype Removing(byte f) {
end:
  do
  :: atomic { grant[f] && IS_VERDICT(journal[f]) ->
       journal[f] = CONDEMNED;
       ACKNOWLEDGE(grant[f], false) }
  :: atomic { call[f] == CONFIRMED ->
       confirmed[f] = (journal[f] == CONDEMNED && bytes[f] == WHOLE);
       call[f] = NONE }
  :: atomic { call[f] == REFUSED ->
       if
       :: journal[f] == CONDEMNED && bytes[f] == WHOLE -> journal[f] = SEALED /* and is judged again */
       :: else
       fi;
       call[f] = NONE }
  :: atomic { journal[f] == CONDEMNED && bytes[f] == WHOLE && CLAIMED(f) ->
       bytes[f] = TRASHED; confirmed[f] = false }
  :: atomic { journal[f] == CONDEMNED && bytes[f] == TRASHED -> journal[f] = REMOVED }
  od
}
