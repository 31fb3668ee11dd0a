import type { Schedule, StartWindow } from '#contracts/schedule.js';
import { durationMs } from '#kernel/duration.js';
import { dayMatcher, weekdayOf } from './day-rules.js';
import { DAY_MS, type Zone } from './zone.js';

/** Instants from which (included) until which (not included) something may start. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** How far ahead and back is looked for a window. Also what repeats yearly is found. */
export const HORIZON_DAYS = 400;
/** What stays open longer than any window counts as never closing. */
const OPEN_DAYS_MAX = 9;
/** A window of seven days, and the night on which the clock is put back. */
const WINDOW_DAYS_MAX = 8;
/** There are thousands of schedules, and of most a few days around now are asked for. */
const DAYS_CACHED_MAX = 100;

/**
 * When a schedule lets a backup start: in its windows, but never on an excluded day. Windows that
 * meet or overlap are one. Without windows it is open on every day that is not excluded.
 *
 * A window opens at the first instant at which the zone's clock shows its time of day or a later
 * one, and closes when the clock shows the time at which it should. Only where the clock leaves out
 * its opening, it lasts as long from then on.
 */
export class OpenTimes {
  private readonly windows: readonly StartWindow[] | undefined;
  private readonly excluded: (day: number) => boolean;
  private readonly always: boolean;
  private readonly days = new Map<number, readonly Span[]>();
  private lastSince = { at: NaN, since: 0 };

  constructor(
    readonly zone: Zone,
    { windows, exclude }: Pick<Schedule, 'windows' | 'exclude'>,
  ) {
    this.windows = windows;
    this.excluded = dayMatcher(exclude);
    this.always = windows === undefined && exclude === undefined;
  }

  /** Whether it has windows, so that there is a time until which a job must have started. */
  get hasWindows(): boolean {
    return this.windows !== undefined;
  }

  /** The parts of a day in which it is open, in order; neighbours do not touch. */
  on(day: number): readonly Span[] {
    // A year of whole days is quick to work out, and too much to remember.
    if (this.windows === undefined) return this.openOn(day);
    let spans = this.days.get(day);
    if (spans === undefined) {
      if (this.days.size > DAYS_CACHED_MAX) this.days.clear();
      this.days.set(day, (spans = this.openOn(day)));
    }
    return spans;
  }

  isOpen(instant: number): boolean {
    return this.always || this.partAt(instant) !== undefined;
  }

  /** That instant if it is open, else the next one at which it opens; undefined if it is too far. */
  firstOpen(instant: number): number | undefined {
    if (this.always) return instant;
    const first = this.zone.dayAt(instant);
    for (let day = first; day <= first + HORIZON_DAYS; day++) {
      for (const { from, to } of this.on(day)) if (instant < to) return Math.max(instant, from);
    }
    return undefined;
  }

  /** When what is open at that instant closes; null if it stays open. */
  closesAfter(instant: number): number | null {
    if (this.always) return null;
    const first = this.zone.dayAt(instant);
    let end = this.partAt(instant)?.to ?? instant;
    for (let day = first; day <= first + OPEN_DAYS_MAX; day++) {
      const next = this.zone.startOf(day + 1);
      if (end < next) return end;
      end = this.on(day + 1)[0]?.from === next ? this.on(day + 1)[0]!.to : end;
    }
    return null;
  }

  /** Since when it has been open without a break; undefined if it is closed at that instant. */
  openSince(instant: number): number | undefined {
    if (this.always) return -Infinity;
    const part = this.partAt(instant);
    if (part === undefined) return undefined;
    if (this.lastSince.at !== part.from) {
      this.lastSince = { at: part.from, since: this.backFrom(part.from) };
    }
    return this.lastSince.since;
  }

  private backFrom(start: number): number {
    let begin = start;
    const last = this.zone.dayAt(start);
    for (let day = last; day > last - HORIZON_DAYS; day--) {
      if (begin > this.zone.startOf(day)) return begin;
      const before = this.on(day - 1).at(-1);
      if (before?.to === begin) begin = before.from;
    }
    return -Infinity;
  }

  private partAt(instant: number): Span | undefined {
    return this.on(this.zone.dayAt(instant)).find(
      ({ from, to }) => from <= instant && instant < to,
    );
  }

  private openOn(day: number): Span[] {
    const whole = { from: this.zone.startOf(day), to: this.zone.startOf(day + 1) };
    if (whole.from === whole.to || this.excluded(day)) return [];
    if (this.windows === undefined) return [whole];
    const parts: Span[] = [];
    for (let opening = day - WINDOW_DAYS_MAX; opening <= day; opening++) {
      for (const window of this.windows) {
        const span = this.spanOf(window, opening);
        if (span === undefined) continue;
        const [from, to] = [Math.max(span.from, whole.from), Math.min(span.to, whole.to)];
        if (from < to) parts.push({ from, to });
      }
    }
    return merged(parts);
  }

  private spanOf(window: StartWindow, day: number): Span | undefined {
    if (window.days !== 'every' && !window.days.includes(weekdayOf(day))) return undefined;
    if (this.zone.startOf(day) === this.zone.startOf(day + 1)) return undefined;
    const [hours, minutes] = window.from.split(':').map(Number);
    const clock = day * DAY_MS + (hours! * 60 + minutes!) * 60_000;
    const length = durationMs(window.for);
    const from = this.zone.firstShowing(clock);
    const left = this.zone.clockAt(from) !== clock;
    return { from, to: left ? from + length : this.zone.firstShowing(clock + length) };
  }
}

function merged(parts: Span[]): Span[] {
  const result: Span[] = [];
  for (const part of parts.sort((a, b) => a.from - b.from)) {
    const last = result.at(-1);
    if (last === undefined || part.from > last.to) result.push(part);
    else if (part.to > last.to) result[result.length - 1] = { from: last.from, to: part.to };
  }
  return result;
}
