import type { Calendar } from '#contracts/schedule.js';
import { dayMatcher } from './day-rules.js';
import { HORIZON_DAYS, type OpenTimes } from './open-times.js';

/** A day on which a calendar wants a run. */
export interface RunDay {
  readonly day: number;
  readonly from: number;
  readonly to: number;
  /** Just after midnight where a window is open then, else when the first one of the day opens. */
  readonly runAt: number;
}

/** The run days of a calendar: days that it names and on which a backup may start. */
export class RunDays {
  private readonly matches: (day: number) => boolean;
  private readonly nexts = new Map<number, RunDay | undefined>();
  private lastLatest: { at: number; days: number; run: RunDay | undefined } | undefined;

  constructor(
    private readonly times: OpenTimes,
    calendar: Calendar,
  ) {
    this.matches = dayMatcher(calendar);
  }

  on(day: number): RunDay | undefined {
    if (!this.matches(day)) return undefined;
    const runAt = this.times.on(day)[0]?.from;
    if (runAt === undefined) return undefined;
    const { zone } = this.times;
    return { day, from: zone.startOf(day), to: zone.startOf(day + 1), runAt };
  }

  /** The last one whose run was due at that instant already, at most `days` before. */
  latest(instant: number, days = HORIZON_DAYS): RunDay | undefined {
    const known = this.lastLatest;
    if (known?.at === instant && known.days === days) return known.run;
    this.lastLatest = { at: instant, days, run: this.searchBack(instant, days) };
    return this.lastLatest.run;
  }

  /** The first one whose run is due only after that instant. */
  next(instant: number): RunDay | undefined {
    const first = this.times.zone.dayAt(instant);
    const today = this.on(first);
    return today !== undefined && today.runAt > instant ? today : this.after(first);
  }

  private after(last: number): RunDay | undefined {
    if (!this.nexts.has(last)) {
      if (this.nexts.size > HORIZON_DAYS) this.nexts.clear();
      this.nexts.set(last, this.search(last));
    }
    return this.nexts.get(last);
  }

  private search(last: number): RunDay | undefined {
    for (let day = last + 1; day <= last + HORIZON_DAYS; day++) {
      const run = this.on(day);
      if (run !== undefined) return run;
    }
    return undefined;
  }
  private searchBack(instant: number, days: number): RunDay | undefined {
    const last = this.times.zone.dayAt(instant);
    for (let day = last; day >= last - days; day--) {
      const run = this.on(day);
      if (run !== undefined && run.runAt <= instant) return run;
    }
    return undefined;
  }
}
