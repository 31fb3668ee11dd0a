import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodeFrameTable, encodeFrameTable, isFrameTable } from './frame-table.js';
import {
  decodeSeekTable,
  encodeSeekTable,
  seekTableBytes,
  seekTableBytesFromFooter,
} from './seek-table.js';

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const frame = fc.record({ storedBytes: uint32, archiveBytes: uint32 });

describe('the seek table', () => {
  it('has the published layout', () => {
    const table = encodeSeekTable([{ storedBytes: 7, archiveBytes: 1 << 20 }]);
    expect(table.toString('hex')).toBe(
      '5e2a4d18' + '11000000' + '07000000' + '00001000' + '01000000' + '00' + 'b1ea928f',
    );
  });

  it('comes back whole, found from its footer', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), (frames) => {
        const table = encodeSeekTable(frames);
        expect(table.length).toBe(seekTableBytes(frames.length));
        expect(seekTableBytesFromFooter(table.subarray(-9))).toBe(table.length);
        expect(decodeSeekTable(table)).toEqual(frames);
      }),
    );
  });

  it('is refused when damaged', () => {
    const table = encodeSeekTable([{ storedBytes: 7, archiveBytes: 8 }]);
    expect(() => decodeSeekTable(table.subarray(1))).toThrow(/damaged/);
    expect(() => seekTableBytesFromFooter(Buffer.alloc(9))).toThrow(/seek table/);
  });
});

describe('the frame table', () => {
  it('comes back whole', () => {
    const record = fc.record({
      storedBytes: uint32,
      archiveBytes: uint32,
      digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 20 }), (frames) => {
        const table = encodeFrameTable(frames);
        expect(isFrameTable(table)).toBe(true);
        expect(decodeFrameTable(table)).toEqual(frames);
        expect(() => decodeFrameTable(table.subarray(0, -1))).toThrow(/damaged/);
      }),
    );
  });
});
