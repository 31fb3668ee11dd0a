import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodeUnit, scanUnits } from './journal-unit.js';

const unit = (sequence: number, ...texts: readonly string[]) =>
  encodeUnit(
    sequence,
    texts.map((text) => ({ text, bytes: Buffer.byteLength(text) })),
  );

describe('The units of a journal file', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string({ unit: 'binary' })), { maxLength: 10 }), (units) => {
        const file = Buffer.concat(units.map((texts, index) => unit(index + 5, ...texts)));
        const scan = scanUnits(file);
        expect(scan.tail).toBe('clean');
        expect(scan.units.map(({ payload }) => payload.toString())).toEqual(
          units.map((texts) => texts.map((text) => `${text}\n`).join('')),
        );
        expect(scan.units.map(({ sequence }) => sequence)).toEqual(units.map((_, at) => at + 5));
      }),
    );
  });

  it('end as torn wherever the last one is cut', () => {
    const first = unit(1, 'first');
    const file = Buffer.concat([first, unit(2, 'second, somewhat longer')]);
    for (let length = first.length + 1; length < file.length; length += 1) {
      expect(scanUnits(file.subarray(0, length))).toMatchObject({
        tail: 'torn',
        goodEnd: first.length,
      });
    }
  });

  it('end as torn when zeros or other bytes follow', () => {
    const first = unit(1, 'first');
    for (const junk of [Buffer.alloc(4096), Buffer.from('\xf7HFJ and more', 'latin1')]) {
      expect(scanUnits(Buffer.concat([first, junk])).tail).toBe('torn');
    }
  });

  it('are damaged when any bit in front of a good one is flipped', () => {
    const first = unit(1, 'first');
    const file = Buffer.concat([first, unit(2, 'second'), unit(3, 'third')]);
    for (let bit = 0; bit < first.length * 8; bit += 1) {
      const flipped = Buffer.from(file);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(scanUnits(flipped)).toMatchObject({ tail: 'damaged', goodEnd: 0 });
    }
  });
});
