import { InvalidInput } from '#kernel/errors.js';

const UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A retention that never ends. */
const INFINITE = 'infinite';

/**
 * When an image expires: `retention` (such as `14d`) after its backup time in unix seconds. Null for `infinite`: it
 * never expires by itself.
 */
export function expiryOf(backupTime: number, retention: string): Date | null {
  if (retention === INFINITE) return null;
  const [, count, unit] = /^([1-9]\d{0,4})([mhdw])$/.exec(retention) ?? [];
  if (count === undefined || unit === undefined) {
    throw new InvalidInput(
      `"${retention}" is no retention; a number and m, h, d or w is, such as "14d", or "${INFINITE}".`,
      'retention',
    );
  }
  return new Date(backupTime * 1_000 + Number(count) * UNIT_MS[unit]!);
}

/** Whether the time of an image is over. */
export function isOver(expiresAt: Date | null, now: Date): boolean {
  return expiresAt !== null && expiresAt <= now;
}
