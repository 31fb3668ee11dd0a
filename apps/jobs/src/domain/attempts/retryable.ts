import { STATUS } from '#kernel/status.js';

/**
 * Failures that may pass: something was away, or died. Each with the reason for trying again. What
 * is not here needs a person (a full volume, a wrong path), shows damage that no repetition
 * mends, or is a fault of the program.
 */
const MAY_PASS: Readonly<Record<number, string>> = {
  [STATUS.cannotConnect]: 'the other end may come back',
  // Whoever was started again does not know the tokens that it was given before.
  [STATUS.handshakeFailed]: 'the other end may have been started again',
  [STATUS.connectionBroken]: 'the connection may come back',
  [STATUS.connectionTimedOut]: 'the connection may come back',
  [STATUS.clientNotStarted]: 'the agent may be started again',
  [STATUS.clientAborted]: 'the agent may be started again',
  [STATUS.killedBySignal]: 'the process may be started again',
  [STATUS.mediaManagerKilled]: 'the media server may be started again',
  [STATUS.mediaOpenError]: 'the volume may come back',
  [STATUS.mediaWriteError]: 'the volume may be writable again',
  [STATUS.mediaReadError]: 'another copy, or a repair, may give what could not be read',
  [STATUS.databaseError]: 'the database may come back',
  [STATUS.mediaServerNotActive]: 'the media server may come back',
};

/** Why an attempt that ended with this status is worth another one; `undefined` if it is not. */
export function mayPass(status: number): string | undefined {
  return MAY_PASS[status];
}
