import { duration } from '#contracts/schedule.js';
import { durationMs } from '#kernel/duration.js';
import { InvalidInput } from '#kernel/errors.js';

/** A retention that never ends. */
const INFINITE = 'infinite';

/**
 * When an image expires: `retention` (such as `14d`) after its backup time in unix seconds. Null for `infinite`: it
 * never expires by itself.
 */
export function expiryOf(backupTime: number, retention: string): Date | null {
  if (retention === INFINITE) return null;
  if (!duration.safeParse(retention).success) {
    throw new InvalidInput(
      `"${retention}" is no retention; a number and m, h, d or w is, such as "14d", or "${INFINITE}".`,
      'retention',
    );
  }
  return new Date(backupTime * 1_000 + durationMs(retention));
}

/** Whether the time of an image is over. */
export function isOver(expiresAt: Date | null, now: Date): boolean {
  return expiresAt !== null && expiresAt <= now;
}
