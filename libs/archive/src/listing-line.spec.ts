import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { commonColumns } from './index-line.js';
import { listingLine, listingLineSays, sameInListing, type FoundEntry } from './listing-line.js';
import { nanosecondsText } from './nanoseconds.js';
import type { ByteString } from './path-text.js';

interface Entry extends FoundEntry {
  readonly type: 'f' | 'd' | 'l';
  readonly path: ByteString;
}

const ORDINARY: Entry = {
  ...{ type: 'f', path: 'home/\xc3\xa4.txt', size: 1200, mode: 0o644, uid: 1000, gid: 100 },
  ...{ mtimeSeconds: 1_790_000_000, mtimeNanos: 7, ctimeSeconds: 1_790_000_001, ctimeNanos: 0 },
  inode: 4711,
};

/** Entries that differ from the ordinary one in some fields, and often from each other in few. */
const entry = fc
  .record(
    {
      type: fc.constantFrom<Entry['type']>('f', 'd', 'l'),
      path: fc.oneof(
        fc.constantFrom('a', 'a/b', 'a\\', 'a\t5', 'a\n', '', '\xff', 'a\x7f', 'a\xc3'),
        fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      ),
      size: fc.constantFrom(0, 1, 12, 2 ** 52),
      mode: fc.constantFrom(0, 0o644, 0o7777),
      uid: fc.constantFrom(0, 1, 2 ** 32 - 1),
      gid: fc.constantFrom(0, 1),
      mtimeSeconds: fc.constantFrom(-1, 0, 1, 179_000_000, 2 ** 40),
      mtimeNanos: fc.constantFrom(0, 1, 999_999_999),
      ctimeSeconds: fc.constantFrom(-1, 0, 1, 179_000_000),
      ctimeNanos: fc.constantFrom(0, 999_999_999),
      inode: fc.constantFrom<number | string>(0, 2 ** 50, '18446744073709551615'),
    },
    { requiredKeys: [] },
  )
  .map((some): Entry => ({ ...ORDINARY, ...some }));

function lineOf({ type, path, size, mode, uid, gid, inode, ...times }: Entry): ByteString {
  const columns = commonColumns({
    ...{ type, path, mode, uid, gid },
    size: type === 'f' ? size : 0,
    mtimeNs: nanosecondsText(times.mtimeSeconds, times.mtimeNanos),
  });
  const ctimeNs = nanosecondsText(times.ctimeSeconds, times.ctimeNanos);
  return listingLine(columns, ctimeNs, { inode, device: '8:1' });
}

function says(line: ByteString, found: Entry): boolean {
  const block = Buffer.from(`before\n${line}\nbehind\t`, 'latin1');
  return listingLineSays(block, 'before\n'.length, found.path, found);
}

describe('a look at the bytes of a line', () => {
  it('never takes for the same what is not', () => {
    fc.assert(
      fc.property(entry, entry, (listed, found) => {
        const line = lineOf(listed);
        if (says(line, found)) expect(sameInListing(line, lineOf(found))).toBe(true);
      }),
    );
  });

  it('knows an ordinary entry, in UTF-8 as well', () => {
    expect(says(lineOf(ORDINARY), ORDINARY)).toBe(true);
    const folder: Entry = { ...ORDINARY, type: 'd', size: 4096 };
    expect(says(lineOf(folder), folder)).toBe(true);
  });

  it.each<[keyof Entry, Entry[keyof Entry]]>([
    ['type', 'd'],
    ['path', 'home/b.txt'],
    ['path', 'home/\xc3\xa4.tx'],
    ['path', 'home/\xc3\xa4.txt2'],
    ['size', 1201],
    ['mode', 0o645],
    ['uid', 1001],
    ['gid', 1],
    ['mtimeSeconds', 1_790_000_001],
    ['mtimeNanos', 8],
    ['ctimeSeconds', 1_790_000_002],
    ['ctimeNanos', 1],
    ['inode', 471],
  ])('sees that %s is another', (field, value) => {
    expect(says(lineOf(ORDINARY), { ...ORDINARY, [field]: value })).toBe(false);
  });

  it('leaves a line that is cut short, and one to be read again, to others', () => {
    const line = lineOf(ORDINARY);
    for (let length = 0; length <= line.lastIndexOf('\t'); length++) {
      expect(says(line.slice(0, length), ORDINARY)).toBe(false);
    }
    expect(says(line.replace('1790000001000000000', '0'), ORDINARY)).toBe(false);
  });
});
