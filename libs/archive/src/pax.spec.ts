import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { emptyEntry, type ArchiveEntry } from './archive-entry.js';
import { PaxReader } from './pax-reader.js';
import { PaxWriter } from './pax-writer.js';
import { dataBytesOf, type DataRange } from './sparse-map.js';
import { ARCHIVE_END_BYTES, paddedToBlock } from './tar-block.js';

interface Written {
  entry: ArchiveEntry;
  content: Buffer;
}

const name = fc
  .uint8Array({ minLength: 1, maxLength: 120 })
  .map((bytes) =>
    Buffer.from(bytes.map((b) => (b === 0x2f || b < 2 ? 0x61 : b))).toString('latin1'),
  )
  .filter((text) => text !== '.' && text !== '..');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const xattrs = fc
  .array(
    fc.tuple(fc.constantFrom('user.a', 'user.b=c', 'user.100%3D', 'trusted.x'), fc.uint8Array()),
  )
  .map((pairs) => new Map(pairs.map(([key, value]) => [key, Buffer.from(value)])));

const anyEntry = fc
  .record({
    type: fc.constantFrom(
      'f' as const,
      'd' as const,
      'l' as const,
      'h' as const,
      'p' as const,
      'c' as const,
    ),
    path,
    linkTarget: path,
    mtimeSeconds: fc.integer({ min: -(2 ** 34), max: 2 ** 36 }),
    mtimeNanos: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xffffffff }),
    gid: fc.integer({ min: 0, max: 0xffffffff }),
    userName: fc.constantFrom('', 'root', 'someone-with-a-name-of-31-bytes'),
    xattrs,
    acl: fc.constantFrom(undefined, 'user::rw-,group::r--,other::r--'),
    content: fc.uint8Array({ maxLength: 1500 }),
  })
  .map(({ acl, content, ...some }): Written => {
    const hasLink = some.type === 'l' || some.type === 'h';
    const bytes = some.type === 'f' ? Buffer.from(content) : Buffer.alloc(0);
    return {
      content: bytes,
      entry: {
        ...emptyEntry(),
        ...some,
        size: bytes.length,
        linkTarget: hasLink ? some.linkTarget : '',
        xattrs: some.xattrs.size === 0 ? undefined : some.xattrs,
        aclAccess: acl,
        deviceMajor: some.type === 'c' ? 8 : 0,
        deviceMinor: some.type === 'c' ? 17 : 0,
      },
    };
  });

function archiveOf(entries: readonly Written[]): Buffer {
  const writer = new PaxWriter();
  const parts = entries.map(({ entry, content }) => {
    writer.prepare(entry);
    const bytes = Buffer.alloc(writer.entryBytes);
    writer.write(bytes, 0);
    content.copy(bytes, writer.headerBytes);
    return bytes;
  });
  return Buffer.concat([...parts, Buffer.alloc(ARCHIVE_END_BYTES)]);
}

function readBack(
  archive: Buffer,
  cuts: readonly number[] = [],
): { entries: Written[]; ended: boolean } {
  const reader = new PaxReader();
  const entries: Written[] = [];
  const places = [
    0,
    ...cuts.map((cut) => cut % archive.length).sort((a, b) => a - b),
    archive.length,
  ];
  for (let piece = 1; piece < places.length; piece++) {
    const chunk = archive.subarray(places[piece - 1], places[piece]);
    for (const event of reader.push(chunk)) {
      if (event.kind === 'entry') {
        entries.push({ entry: event.entry, content: Buffer.alloc(event.entry.size) });
      } else if (event.kind === 'data') {
        event.bytes.copy(entries.at(-1)!.content, event.offset);
      }
    }
  }
  return { entries, ended: reader.ended };
}

describe('an archive', () => {
  it('gives back every entry as it was written, in whatever pieces it comes', () => {
    fc.assert(
      fc.property(
        fc.array(anyEntry, { maxLength: 5 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (entries, cuts) => {
          expect(readBack(archiveOf(entries), cuts)).toEqual({ entries, ended: true });
        },
      ),
    );
  });

  it('keeps sparse files with their holes', () => {
    const runs = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 700 })),
      {
        maxLength: 200,
      },
    );
    fc.assert(
      fc.property(
        runs,
        fc.nat({ max: 5000 }),
        fc.array(fc.nat(), { maxLength: 9 }),
        (gaps, tail, cuts) => {
          const sparse: DataRange[] = [];
          let end = 0;
          for (const [gap, length] of gaps) {
            sparse.push({ offset: end + gap, length });
            end += gap + length;
          }
          const entry = { ...emptyEntry(), path: 'a/sparse', size: end + tail, sparse };
          const content = Buffer.alloc(dataBytesOf(sparse), 7);
          const archive = archiveOf([{ entry, content }]);
          const reader = new PaxReader();
          const places = [
            0,
            ...cuts.map((cut) => cut % archive.length).sort((a, b) => a - b),
            archive.length,
          ];
          const found: DataRange[] = [];
          for (let piece = 1; piece < places.length; piece++) {
            for (const event of reader.push(archive.subarray(places[piece - 1], places[piece]))) {
              if (event.kind === 'entry') expect(event.entry).toEqual(entry);
              if (event.kind !== 'data') continue;
              const last = found.at(-1);
              if (last && last.offset + last.length === event.offset) {
                found[found.length - 1] = {
                  offset: last.offset,
                  length: last.length + event.bytes.length,
                };
              } else found.push({ offset: event.offset, length: event.bytes.length });
            }
          }
          expect(found).toEqual(sparse);
          expect(reader.ended).toBe(true);
        },
      ),
    );
  });

  it('knows sizes beyond 8 GiB and the root folder', () => {
    const writer = new PaxWriter();
    writer.prepare({ ...emptyEntry(), path: 'big', size: 2 ** 43 + 1 });
    const header = Buffer.alloc(writer.headerBytes);
    writer.write(header, 0);
    expect(writer.entryBytes).toBe(header.length + paddedToBlock(2 ** 43 + 1));
    const [event] = [...new PaxReader().push(header)];
    expect(event).toMatchObject({ kind: 'entry', entry: { size: 2 ** 43 + 1 } });
    const root = { entry: { ...emptyEntry(), type: 'd' as const }, content: Buffer.alloc(0) };
    expect(readBack(archiveOf([root])).entries).toEqual([root]);
  });

  it('is refused with the place where it is damaged', () => {
    const archive = archiveOf([
      { entry: { ...emptyEntry(), path: 'a' }, content: Buffer.alloc(0) },
      { entry: { ...emptyEntry(), path: 'b' }, content: Buffer.alloc(0) },
    ]);
    archive[512 + 100] = 0x39;
    expect(() => readBack(archive)).toThrow(/checksum.*archive offset 512/);
  });

  it('is refused where an entry has a size that nothing can have', () => {
    const entry = { ...emptyEntry(), path: 'a', size: 3 };
    for (const size of [Buffer.from('no number!!\0'), Buffer.alloc(12, 0xff)]) {
      const archive = archiveOf([{ entry, content: Buffer.from('abc') }]);
      size.copy(archive, 124);
      archive.fill(0x20, 148, 156);
      const sum = archive.subarray(0, 512).reduce((all, byte) => all + byte, 0);
      archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      expect(() => readBack(archive)).toThrow(/is no size of an entry/);
    }
  });
});
