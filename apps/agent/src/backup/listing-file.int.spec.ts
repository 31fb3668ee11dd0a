import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { DamagedListing } from '../domain/listing-merge.js';
import { ListingReader, ListingWriter } from './listing-file.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Blocks have 256 KiB: some lines lie in one, some across two, some are longer. */
const lines = fc.array(
  fc
    .tuple(fc.constantFrom(0, 1, 100, 65_536, 262_143, 262_144, 700_000), fc.constantFrom('a', 'b'))
    .map(([length, letter]) => letter.repeat(length)),
  { maxLength: 12 },
);

describe('the lines of a file', () => {
  it('come as they are, however long', () => {
    fc.assert(
      fc.property(lines, (expected) => {
        const path = join(folder, 'a');
        writeFileSync(path, expected.map((line) => `${line}\n`).join(''));
        expect(readAll(path)).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it('are damaged where the last one is cut short', () => {
    const path = join(folder, 'a');
    writeFileSync(path, 'a\nb');
    expect(() => readAll(path)).toThrow(DamagedListing);
    writeFileSync(path, 'a'.repeat(300_000));
    expect(() => readAll(path)).toThrow(DamagedListing);
  });

  it('are written the same from text and from bytes', () => {
    const path = join(folder, 'a');
    const writer = new ListingWriter(path, { beside: folder });
    const expected: string[] = [];
    for (let length = 0; length < 2_000; length++) {
      const line = 'x'.repeat(length);
      if (length % 2 === 0) writer.add(line);
      else writer.addBytes(Buffer.from(`..${line}..`), 2, 2 + length);
      expected.push(`${line}\n`);
    }
    writer.close();
    expect(readFileSync(path, 'latin1')).toBe(expected.join(''));
  });
});

function readAll(path: string): string[] {
  const reader = new ListingReader(path);
  const found: string[] = [];
  try {
    while (reader.next()) found.push(reader.text());
  } finally {
    reader.close();
  }
  return found;
}
