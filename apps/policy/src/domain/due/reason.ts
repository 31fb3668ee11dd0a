import { statusText } from '#kernel/status.js';
import { durationText } from '../duration.js';
import { dateOfDay, weekdayOf } from '../time/day-rules.js';
import { HORIZON_DAYS, type OpenTimes } from '../time/open-times.js';
import { DAY_MS, type Zone } from '../time/zone.js';
import type { Cause } from './cause.js';
import type { Due } from './due.js';
import type { Failure } from './history.js';

/** Why something is due when it is, why not yet, and in which window, in words. */
export function reasonOf(
  { dueAt, closesAt, cause, readyAt, goesOn }: Due,
  times: OpenTimes,
  asked: number,
): string {
  if (cause.kind === 'user') return `started by users of the client only, ${allowed(times, asked)}`;
  const reasons = [causeText(cause, times, goesOn)];
  if (dueAt === null) return reasons[0]!;
  const waits = dueAt.getTime() !== readyAt;
  if (times.hasWindows) {
    reasons.push(`${waits ? 'waits for' : 'in'} ${span(times, dueAt, closesAt)}`);
  } else if (waits) {
    reasons.push('not on an excluded day');
  }
  if (goesOn !== undefined) reasons.push(`job ${goesOn} goes on then from what is committed`);
  return reasons.join('; ');
}

function causeText(
  cause: Exclude<Cause, { kind: 'user' }>,
  times: OpenTimes,
  goesOn: number | undefined,
): string {
  switch (cause.kind) {
    case 'inactive':
      return 'the policy is not active';
    case 'by-hand':
      return 'only by hand: the schedule has no frequency and no calendar';
    case 'no-run-day':
      return `its calendar names no day of the next ${HORIZON_DAYS} on which a window opens`;
    case 'never-open':
      return `no start window opens within ${HORIZON_DAYS} days`;
    case 'new':
      return times.hasWindows ? 'no good backup yet' : 'no good backup yet: due at once';
    case 'ahead': {
      const { job, at } = cause.base;
      return `a clock was ahead: the last good backup (job ${job}) is dated ${at.toISOString()}, and does not count until then`;
    }
    case 'effective':
      return `the policy takes effect on ${clockText(times.zone, cause.until)}`;
    case 'held':
      return `a change of the policy sets off nothing by itself: held until ${clockText(times.zone, cause.until)}`;
    case 'frequency': {
      const what = cause.fuller ? 'good backup of a fuller or rarer schedule' : 'good backup';
      const { job, at } = cause.base;
      return `${cause.frequency} after the last ${what} (job ${job}, ${at.toISOString()})`;
    }
    case 'calendar':
      return `run day ${weekdayOf(cause.day)} ${dateOfDay(cause.day)} of the calendar`;
    case 'refused':
      return `the job manager refused with ${status(cause.failure)}; asked again after ${durationText(cause.delayMs)}`;
    case 'failed':
      return `${ended(cause.failure, goesOn)}; again after ${durationText(cause.delayMs)}`;
    case 'window-closed':
      return `${ended(cause.failure, goesOn)}; this used up no try`;
    case 'cancelled':
      return `${ended(cause.failure, goesOn)}; left alone for ${durationText(cause.aloneMs)}`;
    case 'tries-used':
      return `${ended(cause.failure, goesOn)}; ${cause.tries} tries within ${durationText(cause.windowMs)} have failed`;
    default:
      return cause satisfies never;
  }
}

function allowed(times: OpenTimes, asked: number): string {
  const opens = times.firstOpen(asked);
  if (opens === undefined) return `and no window opens within ${HORIZON_DAYS} days`;
  const closes = times.closesAfter(opens);
  if (closes === null && opens === asked) return 'at any time';
  const end = closes === null ? '' : ` until ${clockText(times.zone, closes)}`;
  return `${opens === asked ? 'now' : `from ${clockText(times.zone, opens)}`}${end}`;
}

function span(times: OpenTimes, dueAt: Date, closesAt: Date | null): string {
  if (closesAt === null) return 'a start window that does not close';
  const from = times.openSince(dueAt.getTime()) ?? dueAt.getTime();
  return `the start window ${clockText(times.zone, from)} to ${clockText(times.zone, closesAt.getTime())}`;
}

/** `mon 2026-03-02 18:00 Europe/Berlin` */
export function clockText(zone: Zone, instant: number): string {
  const clock = zone.clockAt(instant);
  const minutes = new Date(clock).toISOString().slice(0, 16).replace('T', ' ');
  return `${weekdayOf(Math.floor(clock / DAY_MS))} ${minutes} ${zone.name}`;
}

function status({ status: code }: Failure): string {
  return `status ${code} (${statusText(code)})`;
}

function ended(failure: Failure, goesOn: number | undefined): string {
  const what = failure.job === goesOn ? 'is incomplete' : 'ended';
  return `job ${failure.job} ${what} with ${status(failure)}`;
}
