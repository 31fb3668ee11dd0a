import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { blake3 } from '@napi-rs/blake-hash';
import { emptyEntry, type ArchiveEntry } from '../archive-entry.js';
import { PaxWriter } from '../pax-writer.js';
import { ARCHIVE_END_BYTES } from '../tar-block.js';
import { paxRecord } from '../tar/pax-records.js';
import { writeUstarHeader } from '../tar/ustar-header.js';
import { KnownCuts, type CutMemory } from './known-cuts.js';
import { TarChunker, type ChunkerStart } from './tar-chunker.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const START: ChunkerStart = { archiveOffset: 0, entryLeft: 0 };

function chunksOf(
  bytes: Buffer,
  start = START,
  pieceBytes: () => number = () => MIB,
  memory?: CutMemory,
): string[] {
  const ends: number[] = [];
  let from = 0;
  const cut = (end: number, id?: Buffer) => {
    ends.push(end);
    if (id) expect(blake3(bytes.subarray(from, end)).equals(id)).toBe(true);
    from = end;
  };
  const chunker = new TarChunker(start, cut, memory);
  for (let at = 0; at < bytes.length;) {
    const piece = pieceBytes();
    chunker.push(bytes.subarray(at, at + piece));
    at += piece;
  }
  chunker.end();
  let begin = 0;
  return ends.map((end) => {
    expect(end).toBeGreaterThan(begin);
    const chunk = bytes.toString('latin1', begin, end);
    begin = end;
    return chunk;
  });
}

/** Bytes that do not repeat, the same for the same seed. */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let x = Math.imul(seed + 1, 0x9e3779b9) | 1;
  for (let at = 0; at < length; at += 1) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes[at] = x;
  }
  return bytes;
}

function entryBytes(entry: Partial<ArchiveEntry>, content: Buffer = Buffer.alloc(0)): Buffer {
  const writer = new PaxWriter();
  writer.prepare({ ...emptyEntry(), mode: 0o644, ...entry, size: content.length });
  const bytes = Buffer.alloc(writer.entryBytes);
  writer.write(bytes, 0);
  content.copy(bytes, writer.headerBytes);
  return bytes;
}

interface Item {
  readonly name: string;
  readonly bytes: number;
  readonly seed: number;
  readonly nanos: number;
}

const fileOf = ({ name, bytes, seed, nanos }: Item) =>
  entryBytes({ type: 'f', path: name, mtimeNanos: nanos }, noise(seed, bytes));

const item = fc.record({
  name: fc.stringMatching(/^[a-z]{1,8}(\/[a-z]{1,8}){0,30}$/),
  bytes: fc.oneof(
    fc.integer({ min: 0, max: 9_000 }),
    fc.integer({ min: 0, max: 100 * KIB }),
    fc.constantFrom(0, 511, 512, 60 * KIB, 64 * KIB, 700 * KIB),
  ),
  seed: fc.nat(),
  nanos: fc.constantFrom(0, 5),
});
const pieces = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 5 });

const archiveOf = (items: readonly Item[]) =>
  Buffer.concat([...items.map(fileOf), Buffer.alloc(ARCHIVE_END_BYTES)]);

/** Many files of all sizes, as a source tree has them. */
const TREE: readonly Item[] = Array.from({ length: 600 }, (_, n) => ({
  name: `tree/folder-${Math.floor(n / 20)}/file-${n}`,
  bytes: n % 50 === 7 ? 2.5 * MIB : (n * 7_919) % (n % 3 === 0 ? 40_000 : 3_000),
  seed: n,
  nanos: n % 2,
}));

const isNewIn = (before: readonly string[], after: readonly string[]) => {
  const known = new Set(before);
  return after.filter((chunk) => !known.has(chunk));
};
const bytesOf = (chunks: readonly string[]) => chunks.reduce((sum, one) => sum + one.length, 0);

describe('chunks of an archive', () => {
  it('are all of its bytes, the same ones however it comes, and none is too long', () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 12 }), pieces, (items, sizes) => {
        const archive = archiveOf(items);
        const whole = chunksOf(archive);
        expect(whole.join('') === archive.toString('latin1')).toBe(true);
        expect(Math.max(...whole.map(({ length }) => length))).toBeLessThanOrEqual(2 * MIB);
        let n = 0;
        const cut = chunksOf(archive, START, () => sizes[n++ % sizes.length]!);
        expect(cut.length).toBe(whole.length);
        expect(cut.every((chunk, at) => chunk === whole[at])).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('are all of the bytes, whatever these are and wherever they begin', () => {
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 5_000 }), fc.constant(Buffer.alloc(5 * MIB)));
    const start = fc.record({
      archiveOffset: fc.nat({ max: 2_000 }),
      entryLeft: fc.option(fc.nat({ max: 3_000 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(bytes, start, fc.array(item, { maxLength: 3 }), (some, from, items) => {
        const archive = Buffer.concat([some, archiveOf(items), some]);
        const chunks = chunksOf(archive, from);
        expect(chunks.join('') === archive.toString('latin1')).toBe(true);
        expect(chunks.every(({ length }) => length <= 2 * MIB + 64 * KIB)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('end where entries do: what follows a changed one is as it was', () => {
    const before = chunksOf(archiveOf(TREE));
    for (const changed of [50, 241, 407]) {
      const edited = TREE.map((one, n) => (n === changed ? { ...one, seed: 9_999 } : one));
      const own = fileOf(TREE[changed]!).length;
      const fresh = isNewIn(before, chunksOf(archiveOf(edited)));
      expect(bytesOf(fresh)).toBeLessThan(own + 32 * KIB);
    }
  });

  it('change only near to a file that is added, taken away or renamed', () => {
    const before = chunksOf(archiveOf(TREE));
    for (const at of [3, 100, 355, 590]) {
      const added = { name: 'tree/new', bytes: 1_000, seed: 12_345, nanos: 1 };
      const renamed = { ...TREE[at]!, name: `${TREE[at]!.name}.old` };
      const changes = [
        [...TREE.slice(0, at), added, ...TREE.slice(at)],
        [...TREE.slice(0, at), ...TREE.slice(at + 1)],
        [...TREE.slice(0, at), renamed, ...TREE.slice(at + 1)],
      ];
      for (const items of changes) {
        const fresh = isNewIn(before, chunksOf(archiveOf(items)));
        expect(bytesOf(fresh)).toBeLessThan(160 * KIB);
      }
    }
  });

  it('are mostly the same when the archive is cut at other places', () => {
    const archive = archiveOf(TREE);
    const before = chunksOf(archive);
    const large = TREE.findIndex(({ bytes }) => bytes > 2 * MIB);
    const begin = archiveOf(TREE.slice(0, large)).length - ARCHIVE_END_BYTES;
    const end = begin + fileOf(TREE[large]!).length;
    for (const at of [begin + 100_000, begin + 1.5 * MIB, begin]) {
      for (const entryLeft of [end - at, undefined]) {
        const parts = [
          ...chunksOf(archive.subarray(0, at)),
          ...chunksOf(archive.subarray(at), { archiveOffset: at, entryLeft }),
        ];
        expect(parts.join('') === archive.toString('latin1')).toBe(true);
        expect(bytesOf(isNewIn(before, parts))).toBeLessThan(3 * MIB);
      }
    }
  });

  it('of a large file change only near to what is inserted there', () => {
    const content = noise(1, 24 * MIB);
    const other = Buffer.concat([content.subarray(0, 9 * MIB + 3), content]);
    const longer = Buffer.concat([content.subarray(0, 8 * MIB), Buffer.from('more'), content]);
    const path = 'large';
    const before = chunksOf(entryBytes({ type: 'f', path }, content));
    expect(before.length).toBeGreaterThan(20);
    const inserted = Buffer.concat([
      content.subarray(0, 12 * MIB),
      Buffer.from('five!'),
      content.subarray(12 * MIB),
    ]);
    for (const [changed, most] of [
      [inserted, 3 * MIB],
      [longer, 6 * MIB],
      [other, 6 * MIB],
    ] as const) {
      const fresh = isNewIn(before, chunksOf(entryBytes({ type: 'f', path }, changed)));
      expect(bytesOf(fresh)).toBeLessThan(most);
    }
  });

  it('follow entries again behind a header that is damaged', () => {
    const archive = archiveOf(TREE);
    const before = chunksOf(archive);
    const at = archiveOf(TREE.slice(0, 300)).length - ARCHIVE_END_BYTES;
    const damaged = Buffer.from(archive);
    damaged[at + 20]! ^= 1;
    expect(bytesOf(isNewIn(before, chunksOf(damaged)))).toBeLessThan(200 * KIB);
  });

  it('follow a size that stands in pax records alone', () => {
    const content = noise(3, 200 * KIB);
    const records = Buffer.from(paxRecord('size', String(content.length)));
    const header = (typeFlag: string, size: number) => {
      const block = Buffer.alloc(512);
      const fields = { name: 'n', prefix: '', mode: 0, uid: 0, gid: 0, size, mtime: 0, typeFlag };
      const rest = { linkName: '', userName: '', groupName: '', deviceMajor: 0, deviceMinor: 0 };
      writeUstarHeader(block, 0, { ...fields, ...rest });
      return block;
    };
    const padded = Buffer.concat([records, Buffer.alloc(512 - records.length)]);
    const sizeless = Buffer.concat([header('x', records.length), padded, header('0', 0), content]);
    const next = fileOf({ name: 'next', bytes: 5_000, seed: 4, nanos: 0 });
    const chunks = chunksOf(Buffer.concat([sizeless, next]));
    expect(chunks[0]).toHaveLength(1_536);
    expect(chunks.at(-1) === next.toString('latin1')).toBe(true);
  });

  it('are not misled by a path, or a link, that looks like a record', () => {
    const path = `${'d/'.repeat(60)}a size=300000`;
    const next = fileOf({ name: 'next', bytes: 5_000, seed: 4, nanos: 0 });
    const then = fileOf({ name: 'then', bytes: 5_000, seed: 5, nanos: 0 });
    const records = Buffer.from(paxRecord('size', '300000'));
    const link = entryBytes({ type: 'l', path: 'link', linkTarget: 'x', mtimeNanos: 5 });
    // The same length as its own record of time, and nothing that a link has content for.
    const mtime = link.indexOf(' mtime=') - 2;
    records.copy(link, mtime);
    for (const odd of [entryBytes({ type: 'f', path }), link]) {
      const chunks = chunksOf(Buffer.concat([odd, next, then]));
      expect(chunks.slice(-2)).toEqual([next, then].map((bytes) => bytes.toString('latin1')));
    }
  });

  it('of a tar within the archive are those of a file', () => {
    const inner = archiveOf(TREE.slice(0, 40));
    const chunks = chunksOf(entryBytes({ type: 'f', path: 'inner.tar' }, inner));
    expect(chunks.length).toBeLessThan(20);
  });
});

/** How a large file changes between two backups. */
interface Change {
  readonly at: number;
  readonly removed: number;
  readonly added: number;
}

const change = fc.record({
  at: fc.nat({ max: 14 * MIB }),
  removed: fc.constantFrom(0, 0, 1, 512, 100_000, 3 * MIB),
  added: fc.constantFrom(0, 1, 512, 99_999, 2.5 * MIB),
});

/** Content in which parts come again, as those of disk images do. */
const CONTENT = Buffer.concat([
  noise(1, 5 * MIB),
  Buffer.alloc(5 * MIB),
  noise(2, 2 * MIB),
  noise(1, 3 * MIB),
]);

const changed = (content: Buffer, { at, removed, added }: Change) =>
  Buffer.concat([content.subarray(0, at), noise(at, added), content.subarray(at + removed)]);

describe('cuts that are known', () => {
  const fileWith = (content: Buffer) =>
    Buffer.concat([
      entryBytes({ type: 'f', path: 'disk.img' }, content),
      archiveOf(TREE.slice(0, 9)),
    ]);

  it('are where they would be found, whatever has changed', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), pieces, (changes, sizes) => {
        const memory = new KnownCuts();
        let content = CONTENT;
        for (const one of [undefined, ...changes]) {
          if (one) content = changed(content, one);
          const archive = fileWith(content);
          let n = 0;
          const known = chunksOf(archive, START, () => sizes[n++ % sizes.length]! + 60_000, memory);
          const found = chunksOf(archive);
          expect(known.length).toBe(found.length);
          expect(known.every((chunk, at) => chunk === found[at])).toBe(true);
        }
      }),
      { numRuns: 12 },
    );
  });

  it('are found in the same time when the archive comes in tiny pieces', () => {
    const memory = new KnownCuts();
    const archive = fileWith(noise(5, 3 * MIB));
    const found = chunksOf(archive, START, undefined, memory);
    for (const cuts of [memory, undefined]) {
      expect(chunksOf(archive, START, () => 11, cuts)).toEqual(found);
    }
  });

  it('are where they would be found in an archive that is cut anywhere', () => {
    const archive = fileWith(CONTENT);
    const memory = new KnownCuts();
    chunksOf(archive, START, undefined, memory);
    for (const at of [2_000, 4 * MIB + 77, 9 * MIB, 14.5 * MIB]) {
      const start = { archiveOffset: at, entryLeft: undefined };
      for (const part of [archive.subarray(0, at), archive.subarray(at, at + 3 * MIB)]) {
        expect(chunksOf(part, start, undefined, memory)).toEqual(chunksOf(part, start));
      }
    }
  });

  it('save looking for them, but near to what has changed', () => {
    const memory = new KnownCuts();
    const content = noise(3, 20 * MIB);
    const guesses = { right: 0, asked: 0 };
    chunksOf(fileWith(content), START, undefined, memory);
    const watching: CutMemory = {
      after: (id) => {
        guesses.asked += 1;
        const next = memory.after(id);
        if (next) guesses.right += 1;
        return next;
      },
      learn: (id, next) => memory.learn(id, next),
    };
    const all = chunksOf(
      fileWith(changed(content, { at: 7 * MIB, removed: 3, added: 5 })),
      START,
      undefined,
      watching,
    );
    expect(all.length).toBeGreaterThan(20);
    expect(guesses.asked - guesses.right).toBeLessThanOrEqual(4);
  });
});
