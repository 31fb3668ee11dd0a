import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NEW_FILE_FLAGS } from '../../posix/new-file.js';
import { LargeContent } from './large-content.js';

const MIB = 1024 * 1024;
/** Each way is taken for at least one slice. */
const BYTES = 72 * MIB;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Piece {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Writes a file, as a restore does: the memory of each piece is used again. */
function write(large: LargeContent, name: string, pieces: readonly Piece[], size: number): Buffer {
  const path = join(folder, name);
  const fd = openSync(path, NEW_FILE_FLAGS, 0o600);
  large.begin(fd);
  for (const { offset, bytes } of pieces) {
    const reused = Buffer.from(bytes);
    large.write(reused, offset);
    reused.fill(0);
  }
  large.end();
  large.close();
  ftruncateSync(fd, size);
  closeSync(fd);
  return readFileSync(path);
}

function cut(content: Buffer, length: (n: number) => number, begin = 0): Piece[] {
  const pieces: Piece[] = [];
  for (let at = begin; at < content.length;) {
    const bytes = content.subarray(at, at + length(pieces.length));
    pieces.push({ offset: at, bytes });
    at += bytes.length;
  }
  return pieces;
}

describe('the contents of large files', () => {
  it.each([
    ['frames behind a header', (n: number) => (n === 0 ? MIB - 512 : MIB)],
    ['anything', (n: number) => [MIB, 700_001, 1, 4_096, 333_333][n % 5]!],
    ['blocks', () => 8_192],
  ])('are what was written, in pieces of %s', (_, length) => {
    const large = new LargeContent();
    for (const name of ['one', 'other']) {
      const content = randomBytes(BYTES + 1_234);
      const held = write(large, name, cut(content, length), content.length);
      expect(held.equals(content)).toBe(true);
    }
  });

  it('go past the page cache behind the first slice, until it is known what is quicker', () => {
    const path = join(folder, 'tried');
    const fd = openSync(path, NEW_FILE_FLAGS, 0o600);
    const large = new LargeContent();
    large.begin(fd);
    const open: number[] = [];
    for (const { offset, bytes } of cut(randomBytes(18 * MIB), () => MIB)) {
      large.write(bytes, offset);
      open.push(openPastCache(path));
    }
    large.close();
    closeSync(fd);
    expect([open[15], open[16], openPastCache(path)]).toEqual([0, 1, 0]);
  });

  it('have their holes where they were', () => {
    const content = randomBytes(BYTES);
    const holes = [
      [0, 512],
      [20 * MIB + 512, 24 * MIB],
      [50 * MIB, 50 * MIB + 1_024],
      [71 * MIB, BYTES],
    ] as const;
    for (const [begin, end] of holes) content.fill(0, begin, end);
    const pieces = holes.flatMap(([, begin], n) => {
      const end = holes[n + 1]?.[0] ?? BYTES;
      return cut(content.subarray(0, end), () => 300_000, begin);
    });
    expect(write(new LargeContent(), 'sparse', pieces, BYTES).equals(content)).toBe(true);
  });

  it('go on with the next file when one was given up', () => {
    const large = new LargeContent();
    const content = randomBytes(BYTES);
    for (const stop of [20 * MIB, 20 * MIB + 512, 30 * MIB + 4_096]) {
      const fd = openSync(join(folder, `given up ${stop}`), NEW_FILE_FLAGS, 0o600);
      large.begin(fd);
      for (const { offset, bytes } of cut(content.subarray(0, stop), () => 700_000)) {
        large.write(bytes, offset);
      }
      large.close();
      closeSync(fd);
    }
    const held = write(
      large,
      'whole',
      cut(content, () => MIB),
      BYTES,
    );
    expect(held.equals(content)).toBe(true);
  });
});

/** How many descriptors this process has for a file past the page cache. */
function openPastCache(path: string): number {
  const flagsOf = (fd: string) =>
    parseInt(/flags:\s*([0-7]+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8);
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      const isIt = readlinkSync(`/proc/self/fd/${fd}`) === path;
      return isIt && (flagsOf(fd) & constants.O_DIRECT) !== 0;
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}
