/*
 * What goes wrong. A crash between two steps needs no step of its own, since each process goes on from
 * what is on disk: it is a pause. Nor do late, reordered and repeated messages: what is stored may be
 * delivered at any time, and again where the acknowledgement was lost.
 */
#ifdef FAULTS
byte faults = FAULTS;
#define FAULTY (faults > 0)
#define FAULT  faults--
#else
#define FAULTY true
#define FAULT  skip
#endif

/* Ends the handling of a message. */
#define ACKNOWLEDGE(message, nothing) if :: message = nothing :: FAULTY -> FAULT fi

/* The broker loses what it acknowledged; a call gets no reply; a media server dies and forgets. */
proctype Losing(byte f) {
end:
  do
  :: atomic { FAULTY && offer[f] -> FAULT; offer[f] = false }
  :: atomic { FAULTY && receipt[f] != NONE -> FAULT; receipt[f] = NONE; UNSTAMP(f) }
  :: atomic { FAULTY && grant[f] -> FAULT; grant[f] = false }
  :: atomic { FAULTY && call[f] != NONE -> FAULT; call[f] = NONE }
  :: atomic { FAULTY && confirmed[f] -> FAULT; confirmed[f] = false }
  od
}

#ifdef FAULTS
/* The broker is put back to an older state of its stream, and the consumer's position is not. */
proctype Deafening() {
end:
  do
  :: atomic { FAULTY && !deaf -> FAULT; deaf = true }
  od
}
#endif
