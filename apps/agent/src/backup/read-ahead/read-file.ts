import { closeSync, openSync, readSync } from 'node:fs';

import { toSystemPath, type ByteString } from '#archive/path-text.js';

import { emptyStat, fastestStatCalls, type FileStat } from '../reader/file-stat.js';
import { mayHaveXattrs } from '../reader/linux-calls.js';
import { OPEN_FLAGS } from '../reader/regular-file.js';

const stats = fastestStatCalls();
const after = emptyStat();
const beyond = Buffer.alloc(1);

/**
 * Reads a regular file without extended attributes that has as many bytes as `into`, and gives its `stat`
 * afterwards, which is valid until the next call. Undefined for any other, and for what cannot be read: whoever wants
 * it meets the same, and says so.
 */
export function readFile(way: ByteString, into: Buffer): FileStat | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(toSystemPath(way), OPEN_FLAGS);
    if (mayHaveXattrs(fd)) return undefined;
    let bytes = 0;
    while (bytes < into.length) {
      const read = readSync(fd, into, bytes, into.length - bytes, bytes);
      if (read === 0) return undefined;
      bytes += read;
    }
    if (bytes === 0 && readSync(fd, beyond, 0, 1, 0) > 0) return undefined;
    stats.fstat(fd, after);
    return after.type === 'f' ? after : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
