import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { schedule as scheduleSchema } from '#contracts/schedule.js';
import { durationMs } from '#kernel/duration.js';
import { dateOfDay, dayMatcher, weekdayOf } from './day-rules.js';
import { OpenTimes } from './open-times.js';
import { anyTimes } from '../../testing/any-times.js';
import { ZONES } from '../../testing/zones.js';
import { DAY_MS, zoneOf } from './zone.js';

const at = (text: string) => Date.parse(text);
const iso = (ms: number | null | undefined) => ms && new Date(ms).toISOString().slice(0, 16);

function times(zone: string, rest: object): OpenTimes {
  return new OpenTimes(zoneOf(zone), scheduleSchema.parse({ name: 's', type: 'full', ...rest }));
}

const nightly = { windows: [{ days: ['fri', 'sat'], from: '22:00', for: '8h' }] };

describe('start windows', () => {
  it('span midnight as one window', () => {
    // 2026-11-27 is a Friday.
    const berlin = times('Europe/Berlin', nightly);
    expect(berlin.isOpen(at('2026-11-27T20:59:59Z'))).toBe(false);
    expect(iso(berlin.firstOpen(at('2026-11-26T00:00Z')))).toBe('2026-11-27T21:00');
    expect(iso(berlin.openSince(at('2026-11-28T02:00Z')))).toBe('2026-11-27T21:00');
    expect(iso(berlin.closesAfter(at('2026-11-27T21:00Z')))).toBe('2026-11-28T05:00');
    expect(berlin.isOpen(at('2026-11-28T05:00Z'))).toBe(false);
    expect(iso(berlin.firstOpen(at('2026-11-29T12:00Z')))).toBe('2026-12-04T21:00');
  });

  it('that meet or overlap are one', () => {
    const windows = [
      { days: ['mon'], from: '18:00', for: '6h' },
      { days: ['tue'], from: '00:00', for: '6h' },
      { days: ['tue'], from: '05:00', for: '2h' },
    ];
    const both = times('UTC', { windows });
    expect(iso(both.closesAfter(at('2026-11-30T18:00Z')))).toBe('2026-12-01T07:00');
    expect(iso(both.openSince(at('2026-12-01T06:30Z')))).toBe('2026-11-30T18:00');
  });

  it('that cover the week never close', () => {
    const all = times('Europe/Berlin', { windows: [{ from: '00:00', for: '1d' }] });
    expect(all.closesAfter(at('2026-03-27T12:00Z'))).toBeNull();
    expect(all.openSince(at('2026-10-27T12:00Z'))).toBe(-Infinity);
  });

  it('close by the clock on the nights on which it is changed', () => {
    const night = times('Europe/Berlin', { windows: [{ from: '22:00', for: '8h' }] });
    // 7 hours in spring, 9 in autumn: until 06:00 in both.
    expect(iso(night.closesAfter(at('2026-03-28T21:00Z')))).toBe('2026-03-29T04:00');
    expect(iso(night.closesAfter(at('2026-10-24T20:00Z')))).toBe('2026-10-25T05:00');
  });

  it('last as long as they say where the clock leaves out their opening', () => {
    const hour = times('Europe/Berlin', { windows: [{ from: '02:00', for: '1h' }] });
    const opens = hour.firstOpen(at('2026-03-28T12:00Z'))!;
    expect([iso(opens), iso(hour.closesAfter(opens))]).toEqual([
      '2026-03-29T01:00',
      '2026-03-29T02:00',
    ]);
    // In autumn the hour comes twice: open from the first time on, until three.
    const twice = hour.firstOpen(at('2026-10-24T12:00Z'))!;
    expect([iso(twice), iso(hour.closesAfter(twice))]).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T02:00',
    ]);
  });

  it('are shut on excluded days, also where they span midnight into one', () => {
    const holiday = times('UTC', { ...nightly, exclude: { dates: ['2026-11-28'] } });
    expect(iso(holiday.closesAfter(at('2026-11-27T22:00Z')))).toBe('2026-11-28T00:00');
    expect(iso(holiday.firstOpen(at('2026-11-28T00:00Z')))).toBe('2026-11-29T00:00');
    const never = times('UTC', {
      exclude: {
        weekdays: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'].map((day) => ({ day })),
      },
    });
    expect(never.firstOpen(at('2026-11-28T00:00Z'))).toBeUndefined();
  });
});

const anyInstant = fc
  .integer({ min: at('2024-01-01'), max: at('2028-01-01') })
  .map((ms) => ms - (ms % 60_000));

describe('any windows in any zone, at any time', () => {
  const any = fc.tuple(fc.constantFrom(...ZONES), anyTimes, anyInstant);

  it('open later or at once, never earlier, and are open then', () => {
    fc.assert(
      fc.property(any, ([zone, rest, now]) => {
        const open = times(zone, rest);
        const first = open.firstOpen(now);
        if (first === undefined) return;
        expect(first).toBeGreaterThanOrEqual(now);
        expect(open.isOpen(first)).toBe(true);
        if (first > now) expect(open.isOpen(first - 1)).toBe(false);
        expect(open.isOpen(now)).toBe(first === now);
      }),
    );
  });

  it('are one span from their opening to their closing', () => {
    fc.assert(
      fc.property(any, fc.double({ min: 0, max: 1, noNaN: true }), ([zone, rest, now], part) => {
        const open = times(zone, rest);
        const first = open.firstOpen(now);
        if (first === undefined) return;
        const closes = open.closesAfter(first);
        if (closes === null) return;
        expect(closes).toBeGreaterThan(first);
        expect(open.isOpen(closes)).toBe(false);
        const between = Math.floor(first + part * (closes - 1 - first));
        expect(open.isOpen(between)).toBe(true);
        expect(open.closesAfter(between)).toBe(closes);
        expect(open.openSince(between)).toBe(open.openSince(first));
      }),
    );
  });

  it('are open when a clock on the wall says so, as long as nobody has changed it', () => {
    let compared = 0;
    fc.assert(
      fc.property(any, ([name, rest, now]) => {
        const ahead = (instant: number) =>
          Date.parse(`${new Date(instant).toLocaleString('sv-SE', { timeZone: name })}Z`) - instant;
        const days = Array.from({ length: 12 }, (_, i) => now + (i - 9) * DAY_MS);
        if (days.some((instant) => ahead(instant) !== ahead(now))) return;
        compared += 1;
        const clock = now + ahead(now);
        const day = Math.floor(clock / DAY_MS);
        const { windows, exclude } = scheduleSchema.parse({ name: 's', type: 'full', ...rest });
        const isIn = (window: NonNullable<typeof windows>[number], opening: number) => {
          if (window.days !== 'every' && !window.days.includes(weekdayOf(opening))) return false;
          const since = clock - opening * DAY_MS - Date.parse(`1970-01-01T${window.from}Z`);
          return since >= 0 && since < durationMs(window.for);
        };
        const openings = Array.from({ length: 9 }, (_, i) => day - i);
        const inWindow = windows?.some((window) => openings.some((one) => isIn(window, one)));
        const isOpen = !dayMatcher(exclude)(day) && (inWindow ?? true);
        expect(times(name, rest).isOpen(now)).toBe(isOpen);
      }),
      { numRuns: 300 },
    );
    expect(compared).toBeGreaterThan(150);
  });

  it('open on no excluded day', () => {
    fc.assert(
      fc.property(any, ([zone, rest, now]) => {
        const { windows } = rest;
        const date = dateOfDay(zoneOf(zone).dayAt(now));
        const open = times(zone, { ...(windows ? { windows } : {}), exclude: { dates: [date] } });
        expect(open.isOpen(now)).toBe(false);
        const next = open.firstOpen(now);
        if (next !== undefined) expect(dateOfDay(zoneOf(zone).dayAt(next)) > date).toBe(true);
      }),
    );
  });
});
