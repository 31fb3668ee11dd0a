import { describe, expect, it } from '@jest/globals';
import { line } from '../../testing/index-lines.js';
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
