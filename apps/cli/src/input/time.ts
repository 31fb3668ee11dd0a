import { durationMs } from '#kernel/duration.js';
import { UsageError } from '../exit-codes.js';

const LOCAL = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?)?$/;
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;
const AGO = /^(\d{1,6})\s*(s|m|h|d|w)\s+ago$/;

/**
 * An instant as people write it: RFC 3339, `YYYY-MM-DD [HH:MM[:SS]]` in local time, `now`, or
 * `2h ago` (s, m, h, d, w). Throws `UsageError`, which lists these.
 */
export function parseTime(text: string, now: Date): Date {
  const trimmed = text.trim();
  if (trimmed === 'now') return now;
  const ago = AGO.exec(trimmed);
  if (ago) return new Date(now.getTime() - durationMs(`${ago[1]}${ago[2]}`));
  const local = LOCAL.exec(trimmed);
  const time = local ? localTime(local) : RFC3339.test(trimmed) ? new Date(trimmed) : undefined;
  if (time === undefined || Number.isNaN(time.getTime())) {
    throw new UsageError(
      `"${text}" is no time. Write 2026-01-31, "2026-01-31 18:00" (local time), ` +
        '2026-01-31T18:00:00Z, now, or "2h ago" (s, m, h, d, w).',
      'at',
    );
  }
  return time;
}

/** Undefined for a day or an hour that does not exist. */
function localTime(match: RegExpExecArray): Date | undefined {
  const [year, month, day, hour, minute, second] = match.slice(1).map((part) => Number(part ?? 0));
  const time = new Date(year!, month! - 1, day!, hour, minute, second);
  const exists =
    time.getMonth() === month! - 1 && time.getDate() === day && minute! < 60 && second! < 60;
  return exists && hour! < 24 ? time : undefined;
}
