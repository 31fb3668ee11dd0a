import { describe, expect, it } from '@jest/globals';
import {
  FragmentUnreadable,
  HostExhausted,
  openError,
  readError,
  VolumeUnusable,
} from './errors.js';

const failed = (code: string) => Object.assign(new Error(`${code}: read`), { code });

describe('A read that failed', () => {
  it('is a fault of the fragment where its medium failed', () => {
    for (const code of ['EIO', 'ENOENT', 'ESTALE']) {
      expect(readError('f1', 'data at 0', failed(code))).toBeInstanceOf(FragmentUnreadable);
    }
  });

  it('says nothing of the fragment where the host is short of descriptors or memory', () => {
    for (const code of ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN']) {
      expect(readError('f1', 'data at 0', failed(code))).toBeInstanceOf(HostExhausted);
    }
  });

  it('makes a volume unusable only where that is no fault of the host', () => {
    expect(openError('/v', failed('ENOENT'))).toBeInstanceOf(VolumeUnusable);
    expect(openError('/v', failed('EMFILE'))).toBeInstanceOf(HostExhausted);
    const why = new VolumeUnusable('/v', 'its map is damaged');
    expect(openError('/w', why)).toBe(why);
  });
});
