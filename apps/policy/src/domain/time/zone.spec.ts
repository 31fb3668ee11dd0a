import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { dayOfDate } from './day-rules.js';
import { ZONES } from '../../testing/zones.js';
import { DAY_MS, Zone, zoneOf } from './zone.js';

const instant = (text: string) => Date.parse(text);
const clock = (text: string) => Date.parse(`${text}Z`);
const shown = (zone: string, time: string) =>
  new Date(zoneOf(zone).firstShowing(clock(time))).toISOString();

const anyZone = fc.constantFrom(...ZONES);
const anyInstant = fc
  .integer({ min: instant('1990-01-01'), max: instant('2040-01-01') })
  .map((ms) => ms - (ms % 1_000));

describe('the clock of a zone', () => {
  it('shows winter time and summer time', () => {
    const berlin = zoneOf('Europe/Berlin');
    expect(berlin.clockAt(instant('2026-01-01T12:00:00Z'))).toBe(clock('2026-01-01T13:00'));
    expect(berlin.clockAt(instant('2026-07-01T12:00:00Z'))).toBe(clock('2026-07-01T14:00'));
  });

  it('shows an hour that is left out when the next one begins', () => {
    expect(shown('Europe/Berlin', '2026-03-29T02:30')).toBe('2026-03-29T01:00:00.000Z');
    expect(shown('Europe/Berlin', '2026-03-29T03:00')).toBe('2026-03-29T01:00:00.000Z');
  });

  it('shows an hour that comes twice for the first time', () => {
    expect(shown('Europe/Berlin', '2026-10-25T02:30')).toBe('2026-10-25T00:30:00.000Z');
  });

  it('begins a day without midnight at one', () => {
    const cairo = zoneOf('Africa/Cairo');
    const start = cairo.startOf(dayOfDate('2026-04-24'));
    expect(cairo.clockAt(start)).toBe(clock('2026-04-24T01:00'));
  });

  it('has an empty day where a zone moved over the date line', () => {
    const apia = zoneOf('Pacific/Apia');
    const day = dayOfDate('2011-12-30');
    expect(apia.startOf(day)).toBe(apia.startOf(day + 1));
    expect(apia.dayAt(apia.startOf(day))).toBe(day + 1);
  });

  it('stays in its day when it is put back over midnight', () => {
    // Until 2011 the clock of Newfoundland was put back at 00:01, to 23:01 of the day before.
    const zone = zoneOf('America/St_Johns');
    const day = dayOfDate('2010-11-07');
    const again = instant('2010-11-07T02:45:00Z');
    expect(zone.clockAt(again)).toBe(clock('2010-11-06T23:15'));
    expect(zone.dayAt(again)).toBe(day);
  });

  it('shows what Intl shows, at any time', () => {
    fc.assert(
      fc.property(anyZone, anyInstant, (name, at) => {
        const text = new Date(at).toLocaleString('sv-SE', { timeZone: name });
        expect(zoneOf(name).clockAt(at)).toBe(clock(text.replace(' ', 'T')));
      }),
    );
  });
});

describe('days, at any time in any zone', () => {
  it('follow each other without a gap, and each instant is in its day', () => {
    fc.assert(
      fc.property(anyZone, anyInstant, (name, at) => {
        const zone = zoneOf(name);
        const day = zone.dayAt(at);
        expect(zone.startOf(day)).toBeLessThanOrEqual(at);
        expect(zone.startOf(day + 1)).toBeGreaterThan(at);
        expect(zone.startOf(day + 1) - zone.startOf(day)).toBeLessThanOrEqual(DAY_MS * 1.5);
      }),
    );
  });

  it('never begin earlier than the one before, whoever asks first', () => {
    fc.assert(
      fc.property(anyZone, anyInstant, fc.integer({ min: -400, max: 400 }), (name, at, far) => {
        const zone = new Zone(name);
        const day = Math.floor(at / DAY_MS);
        const other = zone.startOf(day + far);
        expect(Math.sign(other - zone.startOf(day)) * Math.sign(far)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 30 },
    );
  });
});

describe('the first showing of a time, in any zone', () => {
  it('is when the clock shows it or a later one, and never did before', () => {
    fc.assert(
      fc.property(anyZone, anyInstant, fc.nat(3 * DAY_MS), (name, time, before) => {
        const zone = zoneOf(name);
        const first = zone.firstShowing(time);
        expect(zone.clockAt(first)).toBeGreaterThanOrEqual(time);
        expect(zone.clockAt(first - 1 - before)).toBeLessThan(time);
      }),
    );
  });
});
