import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { commonColumns, encodeIndexLine, parseIndexLine, type IndexLine } from './index-line.js';
import { listingLine, pathOfListingLine, sameInListing } from './listing-line.js';
import { nanosecondsText, parsePaxTime, paxTime, splitNanoseconds } from './nanoseconds.js';

const byteString = fc
  .uint8Array({ maxLength: 30 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const line = fc
  .record({
    type: fc.constantFrom('f', 'd', 'l', 'h', 'p', 'c', 'b'),
    path: byteString,
    size: number,
    mtimeNs: fc.bigInt(-(2n ** 63n), 2n ** 63n).map(String),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: number,
    gid: number,
    offset: number,
    length: number,
    flags: fc.constantFrom('', 's', 'm', 'st'),
    target: byteString,
    ownOffset: number,
    deviceMajor: number,
    deviceMinor: number,
  })
  .map(({ ownOffset, ...all }): IndexLine => {
    const device = all.type === 'c' || all.type === 'b';
    return {
      ...all,
      type: all.type as IndexLine['type'],
      target: all.type === 'l' || all.type === 'h' ? all.target : '',
      own:
        all.type === 'h'
          ? { offset: ownOffset, length: 1536 }
          : { offset: all.offset, length: all.length },
      deviceMajor: device ? all.deviceMajor : 0,
      deviceMinor: device ? all.deviceMinor : 0,
    };
  });

describe('an index line', () => {
  it('comes back as it was, one line whatever the names hold', () => {
    fc.assert(
      fc.property(line, (entry) => {
        const text = encodeIndexLine(entry);
        expect(text.indexOf('\n')).toBe(text.length - 1);
        expect(text.split('\t')).toHaveLength(11);
        expect(parseIndexLine(text)).toEqual(entry);
      }),
    );
  });

  it('looks as the documentation says', () => {
    const entry = parseIndexLine(
      'f\tetc/passwd\t1420\t1700000000123456789\t644\t0\t0\t512\t2560\t-\t',
    );
    expect(entry).toMatchObject({ path: 'etc/passwd', mode: 0o644, offset: 512, length: 2560 });
    const gone = parseIndexLine('x\ta\t0\t0\t0\t0\t0\t-\t-\t-\t');
    expect([gone.offset, gone.length]).toEqual([-1, -1]);
    expect(encodeIndexLine(gone)).toBe('x\ta\t0\t0\t0\t0\t0\t-\t-\t-\t\n');
  });

  it('is refused when damaged', () => {
    expect(() => parseIndexLine('f\ta\t1')).toThrow(/Not an index line/);
    expect(() => parseIndexLine('q\ta\t0\t0\t0\t0\t0\t-\t-\t-\t')).toThrow(/Not an index line/);
    expect(() => parseIndexLine('f\ta\tx\t0\t0\t0\t0\t1\t1\t-\t')).toThrow(/Not an index line/);
  });
});

describe('a line of a listing', () => {
  it('tells whether an entry changed, but for the number of its device', () => {
    fc.assert(
      fc.property(line, number, (entry, inode) => {
        const lineOf = (ctimeNs: string, device: string) =>
          listingLine(commonColumns(entry), ctimeNs, { inode, device });
        const text = lineOf('5', '2049');
        expect(pathOfListingLine(text)).toBe(entry.path);
        expect(sameInListing(text, lineOf('5', '1'))).toBe(true);
        expect(sameInListing(text, lineOf('6', '2049'))).toBe(false);
      }),
    );
  });
});

describe('times', () => {
  it('keep their nanoseconds, before 1970 too', () => {
    expect(nanosecondsText(1, 5)).toBe('1000000005');
    expect(nanosecondsText(-2, 500_000_000)).toBe('-1500000000');
    expect(paxTime(-2, 500_000_000)).toBe('-1.500000000');
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (seconds, nanos) => {
          expect(splitNanoseconds(nanosecondsText(seconds, nanos))).toEqual({ seconds, nanos });
          expect(parsePaxTime(paxTime(seconds, nanos))).toEqual({ seconds, nanos });
        },
      ),
    );
  });
});
