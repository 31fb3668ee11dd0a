export const DAY_MS = 86_400_000;

/** No zone of the world is further from UTC than this. */
const OFFSET_MAX_MS = 15 * 3_600_000;
/** More days than anybody asks for; then the cache begins anew. */
const DAYS_CACHED_MAX = 20_000;

/** From then on, and for how long, the zone's clock is so far ahead of UTC. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
}

/**
 * The clock of a time zone. A day is its number since 1970-01-01 on that clock; a clock time is the
 * milliseconds since 1970-01-01 00:00 that the clock shows, as if there were no zones. Instants are
 * milliseconds of UTC.
 *
 * Days follow each other without a gap and never overlap: each begins at the first instant at which
 * the clock shows its date or a later one. A day that a zone left out (Samoa, 2011-12-30) is empty.
 */
export class Zone {
  private readonly format: Intl.DateTimeFormat;
  private readonly stretches = new Map<number, readonly Stretch[]>();
  private readonly starts = new Map<number, number>();

  constructor(readonly name: string) {
    this.format = new Intl.DateTimeFormat('en-US', {
      ...{ timeZone: name, calendar: 'gregory', numberingSystem: 'latn', hourCycle: 'h23' },
      ...{ year: 'numeric', month: 'numeric', day: 'numeric' },
      ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
    });
  }

  /** What the clock shows. */
  clockAt(instant: number): number {
    const stretches = this.stretchesOf(Math.floor(instant / DAY_MS));
    const [first] = stretches;
    const stretch = instant < first!.to ? first! : stretches[1]!;
    return instant + stretch.offset;
  }

  /** The first instant at which the clock shows that time or a later one. */
  firstShowing(clock: number): number {
    for (let day = Math.floor((clock - OFFSET_MAX_MS) / DAY_MS); ; day++) {
      for (const { from, to, offset } of this.stretchesOf(day)) {
        const instant = Math.max(from, clock - offset);
        if (instant < to) return instant;
      }
    }
  }

  startOf(day: number): number {
    let start = this.starts.get(day);
    if (start === undefined) {
      if (this.starts.size > DAYS_CACHED_MAX) this.starts.clear();
      this.starts.set(day, (start = this.firstShowing(day * DAY_MS)));
    }
    return start;
  }

  dayAt(instant: number): number {
    let day = Math.floor(this.clockAt(instant) / DAY_MS);
    // A clock that was put back over midnight shows the day before once more.
    while (this.startOf(day + 1) <= instant) day += 1;
    return day;
  }

  private stretchesOf(utcDay: number): readonly Stretch[] {
    let found = this.stretches.get(utcDay);
    if (found === undefined) {
      if (this.stretches.size > DAYS_CACHED_MAX) this.stretches.clear();
      this.stretches.set(utcDay, (found = this.findStretches(utcDay)));
    }
    return found;
  }

  /** No zone changes its clock twice in a day. */
  private findStretches(utcDay: number): Stretch[] {
    const [from, to] = [utcDay * DAY_MS, (utcDay + 1) * DAY_MS];
    const [before, after] = [this.offsetAt(from), this.offsetAt(to)];
    if (before === after) return [{ from, to, offset: before }];
    let [same, changed] = [from, to];
    while (changed - same > 1_000) {
      const middle = Math.floor((same + changed) / 2_000) * 1_000;
      if (this.offsetAt(middle) === before) same = middle;
      else changed = middle;
    }
    if (changed === to) return [{ from, to, offset: before }];
    return [
      { from, to: changed, offset: before },
      { from: changed, to, offset: after },
    ];
  }

  private offsetAt(instant: number): number {
    const part: Record<string, number> = {};
    for (const { type, value } of this.format.formatToParts(instant)) part[type] = Number(value);
    const shown = Date.UTC(
      ...([part['year']!, part['month']! - 1, part['day']!] as const),
      ...([part['hour']!, part['minute']!, part['second']!] as const),
    );
    return shown - Math.floor(instant / 1_000) * 1_000;
  }
}

const zones = new Map<string, Zone>();

/** The same zone for the same name, so that what is known of its days is found out once. */
export function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) zones.set(name, (zone = new Zone(name)));
  return zone;
}
