import { describe, expect, it } from '@jest/globals';
import { parseTime } from './time.js';

const now = new Date('2026-03-10T12:00:00.000Z');

describe('a time', () => {
  it('is RFC 3339, or now', () => {
    expect(parseTime('2026-01-31T18:00:00Z', now).toISOString()).toBe('2026-01-31T18:00:00.000Z');
    expect(parseTime('2026-01-31T18:00:00+02:00', now).toISOString()).toBe(
      '2026-01-31T16:00:00.000Z',
    );
    expect(parseTime(' now ', now)).toEqual(now);
  });

  it('is a day or a minute of local time', () => {
    expect(parseTime('2026-01-31', now)).toEqual(new Date(2026, 0, 31));
    expect(parseTime('2026-01-31 18:05', now)).toEqual(new Date(2026, 0, 31, 18, 5));
    expect(parseTime('2026-01-31T18:05:09', now)).toEqual(new Date(2026, 0, 31, 18, 5, 9));
  });

  it('is so long ago', () => {
    expect(parseTime('90m ago', now).toISOString()).toBe('2026-03-10T10:30:00.000Z');
    expect(parseTime('2 d ago', now).toISOString()).toBe('2026-03-08T12:00:00.000Z');
  });

  it.each(['2026-02-30', '2026-01-31 24:00', 'yesterday', '2h', '', '2026-13-01T00:00:00Z'])(
    'is not %j, and the error says what is',
    (text) => {
      expect(() => parseTime(text, now)).toThrow(/is no time\. Write 2026-01-31, .*2h ago/);
    },
  );
});
