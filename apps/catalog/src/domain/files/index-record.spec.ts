import { describe, expect, it } from '@jest/globals';
import { Unavailable } from '#kernel/errors.js';
import { line } from '../../testing/index-lines.js';
import { DELIVERIES_BEFORE_PARKING, failureKind, shouldPark } from '../failure-kind.js';
import { readIndexRecord } from './index-record.js';

const read = (text: string) => readIndexRecord(text.slice(0, -1));

describe('an index line', () => {
  it('keeps its columns as they are, the path in two parts', () => {
    expect(read(line({ path: 'srv/a\\b', flags: 'st', mode: 0o4711 }))).toEqual({
      type: 'f',
      directory: 'srv',
      name: 'a\\\\b',
      size: '42',
      mtimeNs: '1700000000123456789',
      mode: 0o4711,
      uid: '1000',
      gid: '1000',
      offset: '1024',
      length: '1024',
      flags: 'st',
      extra: '',
    });
  });

  it('of something deleted has a path and nothing else', () => {
    expect(read(line({ type: 'x', path: 'srv/a', offset: -1, length: -1 }))).toMatchObject({
      type: 'x',
      directory: 'srv',
      name: 'a',
      offset: null,
      length: null,
    });
  });

  it('is refused where a column is missing, too many or no number', () => {
    const good = line({ path: 'srv/a' }).slice(0, -1);
    for (const bad of ['', 'x', good.slice(2), `${good}\tmore`, good.replace('42', '4.2')]) {
      expect(() => readIndexRecord(bad)).toThrow('no index line');
    }
  });
});

describe('a failed transaction', () => {
  const sqlError = (code: string) => Object.assign(new Error('no'), { code });

  it('is the fault of the database, of the data, or of the program', () => {
    for (const code of ['08006', '40P01', '53300', '57P03', 'ECONNREFUSED']) {
      expect(failureKind(sqlError(code))).toBe('outage');
    }
    expect(failureKind(new Error('Connection terminated unexpectedly'))).toBe('outage');
    expect(failureKind(new Unavailable('away'))).toBe('outage');
    for (const code of ['22003', '22021', '23505'])
      expect(failureKind(sqlError(code))).toBe('data');
    expect(failureKind(sqlError('42703'))).toBe('bug');
    expect(failureKind(new TypeError('undefined is no function'))).toBe('bug');
  });

  it('has a message parked for its data at once, for a bug after many tries, for an outage never', () => {
    expect(shouldPark('data', 1)).toBe(true);
    expect(shouldPark('bug', DELIVERIES_BEFORE_PARKING - 1)).toBe(false);
    expect(shouldPark('bug', DELIVERIES_BEFORE_PARKING)).toBe(true);
    expect(shouldPark('outage', 1_000_000)).toBe(false);
  });
});
