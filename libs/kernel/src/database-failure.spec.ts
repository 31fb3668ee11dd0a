import { describe, expect, it } from '@jest/globals';
import { failureKind, isDatabaseAway } from './database-failure.js';
import { Unavailable } from './errors.js';

const withCode = (code: string) => Object.assign(new Error('no'), { code });

const AWAY = [
  ...['08006', '40P01', '53300', '57P03', 'ECONNREFUSED', 'EPIPE'].map(withCode),
  new Error('Connection terminated unexpectedly'),
  new Error('timeout exceeded when trying to connect'),
  new Error('Client has encountered a connection error and is not queryable'),
];
const DATA = ['22003', '22021', '23505'].map(withCode);
const BUGS = [withCode('42703'), new TypeError('undefined is no function')];

describe('a failed transaction', () => {
  it('is the fault of the database, of the data, or of the program', () => {
    for (const error of AWAY) expect(failureKind(error)).toBe('outage');
    expect(failureKind(new Unavailable('away'))).toBe('outage');
    expect(failureKind(withCode('ENOSPC'))).toBe('outage');
    for (const error of DATA) expect(failureKind(error)).toBe('data');
    for (const error of BUGS) expect(failureKind(error)).toBe('bug');
  });
});

describe('a failed request', () => {
  it('met a database that is away or busy, or something else', () => {
    for (const error of AWAY) expect(isDatabaseAway(error)).toBe(true);
    const wordy = new TypeError("Cannot read properties of undefined (reading 'connection')");
    for (const error of [...DATA, ...BUGS, withCode('ENOSPC'), wordy]) {
      expect(isDatabaseAway(error)).toBe(false);
    }
  });
});
