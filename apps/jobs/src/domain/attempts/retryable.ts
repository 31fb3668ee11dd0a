/**
 * Failures that may pass: something was away, or died. Each with the reason for trying again. What
 * is not here needs a person (a full volume, a wrong path), shows damage that no repetition
 * mends, or is a fault of the program.
 */
const MAY_PASS: Readonly<Record<number, string>> = {
  25: 'the other end may come back',
  // Whoever was started again does not know the tokens that it was given before.
  26: 'the other end may have been started again',
  40: 'the connection may come back',
  41: 'the connection may come back',
  49: 'the agent may be started again',
  50: 'the agent may be started again',
  63: 'the process may be started again',
  82: 'the media server may be started again',
  83: 'the volume may come back',
  84: 'the volume may be writable again',
  85: 'another copy, or a repair, may give what could not be read',
  220: 'the database may come back',
  2027: 'the media server may come back',
};

/** Why an attempt that ended with this status is worth another one; `undefined` if it is not. */
export function mayPass(status: number): string | undefined {
  return MAY_PASS[status];
}
