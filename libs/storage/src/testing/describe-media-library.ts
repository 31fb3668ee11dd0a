import { describe, expect, it } from '@jest/globals';
import type { MediaChanger } from '../sequential/media-changer.js';
import { permitRecycling } from '../sequential/recycle-permit.js';
import { BlockUnreadable, CartridgeBusy, EndOfMedium } from '../sequential/sequential-errors.js';
import type {
  MediumRecord,
  RecyclePermit,
  SequentialMedium,
} from '../sequential/sequential-medium.js';
import { encodeLabel, parseLabel } from '../sequential/volume-format.js';
import { patternBytes } from './fragments.js';

/** A library with two drives, four slots and a blank cartridge in each of the first two. */
export interface LibraryFixture {
  readonly changer: MediaChanger;
  readonly barcodes: readonly [string, string];
  /** What one of the cartridges holds, about. */
  readonly capacityBytes: number;
  /** As after a crash: the process that owned it is gone, and its cartridges are where they were. */
  reopen(): Promise<MediaChanger>;
  /** True where a second owner was refused. */
  refusesOwner(): Promise<boolean>;
  dispose(): Promise<void>;
}

export type LibraryFactory = (capacityBytes: number) => Promise<LibraryFixture>;
type UseLibrary = (test: (fixture: LibraryFixture) => Promise<void>) => Promise<void>;

const CAPACITY_BYTES = 3_000_000;

/** Proves the laws of `MediaChanger`, `TapeDrive` and `SequentialMedium` for an adapter. */
export function describeMediaLibrary(name: string, factory: LibraryFactory): void {
  const use: UseLibrary = async (test) => {
    const fixture = await factory(CAPACITY_BYTES);
    try {
      await test(fixture);
    } finally {
      await fixture.dispose();
    }
  };

  describe(`${name} keeps the laws of a library`, () => {
    describe('for moves: it', () => provesMoves(use));
    describe('for what is written: it', () => provesWriting(use));
    describe('for a new beginning: it', () => provesBeginning(use));
  });
}

export function labelOf(label: string, volumeId = '01920000-0000-7000-8000-00000000f001'): Buffer {
  const labelledAt = '2026-01-01T00:00:00.000Z';
  return encodeLabel({ label, volumeId, mediaId: 'media1', pool: 'tape', labelledAt });
}

/** A permit as the books give it for a blank cartridge. */
export function forBlank(barcode: string): RecyclePermit {
  return permitRecycling({ barcode, label: undefined, endOfData: 0 }, undefined)!;
}

function provesMoves(use: UseLibrary): void {
  it('has a cartridge in one place, and moves it between slots, drives and the mail slot', () =>
    use(async ({ changer, barcodes: [first] }) => {
      expect((await changer.inventory()).slots[0]).toEqual({ slot: 1, barcode: first });
      await changer.load(1, 2);
      expect((await changer.inventory()).drives).toEqual([
        { drive: 1 },
        { drive: 2, barcode: first },
      ]);
      await changer.unload(2, 3);
      await changer.export(3);
      expect((await changer.inventory()).mail).toEqual([first]);
      await changer.import(first, 4);
      const { slots, drives, mail } = await changer.inventory();
      expect(slots[3]).toEqual({ slot: 4, barcode: first });
      const places = [...slots, ...drives].filter(({ barcode }) => barcode === first);
      expect([places.length, mail]).toEqual([1, []]);
    }));

  it('refuses a move that would land on something, from an empty place, or beyond its places', () =>
    use(async ({ changer, barcodes: [first] }) => {
      await changer.load(1, 1);
      await expect(changer.load(2, 1)).rejects.toBeInstanceOf(CartridgeBusy);
      await expect(changer.unload(1, 2)).rejects.toBeInstanceOf(CartridgeBusy);
      await expect(changer.load(3, 2)).rejects.toMatchObject({ name: 'NothingThere' });
      await expect(async () => changer.load(9, 2)).rejects.toMatchObject({ status: 20 });
      await expect(changer.import('NOT-HERE', 3)).rejects.toMatchObject({ status: 227 });
      expect((await changer.inventory()).drives[0]).toEqual({ drive: 1, barcode: first });
    }));

  it('takes no cartridge out of a drive that has it open, and opens it once', () =>
    use(async ({ changer }) => {
      await changer.load(1, 1);
      const medium = await changer.drive(1).open();
      await expect(async () => changer.unload(1, 3)).rejects.toBeInstanceOf(CartridgeBusy);
      await expect(changer.drive(1).open()).rejects.toMatchObject({ status: 83 });
      await expect(changer.drive(2).open()).rejects.toMatchObject({ status: 83 });
      await medium.close();
      await changer.unload(1, 3);
    }));

  it('has one owner', () =>
    use(async ({ refusesOwner }) => {
      expect(await refusesOwner()).toBe(true);
    }));
}

function provesWriting(use: UseLibrary): void {
  it('gives back every record as it was written, also after a crash behind a mark', () =>
    use(async ({ changer, reopen }) => {
      const medium = await blank(changer);
      const blocks = [patternBytes(1), patternBytes(1_048_576, 5), patternBytes(70_000, 7)];
      for (const block of blocks) await medium.append(block);
      await medium.mark();
      expect(medium.endOfData).toBe(6);
      const again = await (await reopen()).drive(1).open();
      expect(again.endOfData).toBe(6);
      await again.locate(2);
      for (const block of blocks) expect(isBlock(await again.next(), block)).toBe(true);
      expect(await again.next()).toEqual({ type: 'mark' });
      expect(await again.next()).toEqual({ type: 'end' });
      await again.locate(3);
      expect(isBlock(await again.next(), blocks[1]!)).toBe(true);
      await expect(again.locate(7)).rejects.toBeInstanceOf(BlockUnreadable);
    }));

  it('keeps what stands in front of a mark when what is behind it was cut off', () =>
    use(async ({ changer, reopen }) => {
      const medium = await blank(changer);
      await medium.append(patternBytes(1_000));
      await medium.mark();
      await medium.append(patternBytes(500, 3));
      const again = await (await reopen()).drive(1).open();
      await again.append(patternBytes(300, 9));
      await again.mark();
      await again.locate(2);
      expect(isBlock(await again.next(), patternBytes(1_000))).toBe(true);
      await again.locate(again.endOfData - 2);
      expect(isBlock(await again.next(), patternBytes(300, 9))).toBe(true);
    }));

  it('says when the end is reached, and leaves room for a mark', () =>
    use(async ({ changer, capacityBytes }) => {
      const medium = await blank(changer);
      let written = 0;
      const fill = async () => {
        for (;;) {
          await medium.append(patternBytes(1_000_000));
          written += 1_000_000;
        }
      };
      await expect(fill()).rejects.toBeInstanceOf(EndOfMedium);
      expect(written).toBeGreaterThan(capacityBytes - 2_000_000);
      expect(written).toBeLessThanOrEqual(capacityBytes);
      const end = medium.endOfData;
      await medium.mark();
      expect(medium.endOfData).toBe(end + 1);
      await medium.locate(2);
      expect(isBlock(await medium.next(), patternBytes(1_000_000))).toBe(true);
    }));
}

function provesBeginning(use: UseLibrary): void {
  it('begins anew with the permit for its label, and then holds the new one alone', () =>
    use(async ({ changer, reopen, barcodes: [barcode] }) => {
      const medium = await blank(changer);
      await medium.append(patternBytes(2_000_000).subarray(0, 1_000_000));
      await medium.mark();
      const { volumeId } = parseLabel(labelOf('A1'))!;
      const { endOfData } = medium;
      const books = { volumeId, holds: new Set<string>(), endPosition: endOfData };
      const permit = permitRecycling({ barcode, label: labelOf('A1'), endOfData }, books)!;
      await medium.begin(permit, labelOf('A1', '01920000-0000-7000-8000-00000000f002'));
      const again = await (await reopen()).drive(1).open();
      expect([again.endOfData, again.writtenBytes < 1_000]).toEqual([2, true]);
      await again.locate(0);
      const first = await again.next();
      expect(first.type === 'block' && parseLabel(first.bytes)).toMatchObject({ label: 'A1' });
    }));

  it('refuses the permit for another cartridge, or for a label that it does not bear', () =>
    use(async ({ changer, barcodes: [barcode, other] }) => {
      const medium = await blank(changer);
      await medium.append(patternBytes(10));
      await medium.mark();
      const wrong = [forBlank(barcode), forBlank(other)];
      const { volumeId } = parseLabel(labelOf('A2'))!;
      const { endOfData } = medium;
      const books = { volumeId, holds: new Set<string>(), endPosition: endOfData };
      wrong.push(permitRecycling({ barcode, label: labelOf('A2'), endOfData }, books)!);
      for (const permit of wrong) {
        await expect(medium.begin(permit, labelOf('A3'))).rejects.toThrow(/another volume/);
      }
      await medium.locate(2);
      expect(isBlock(await medium.next(), patternBytes(10))).toBe(true);
    }));
}

/** The first cartridge in drive 1, with a label. */
async function blank(changer: MediaChanger): Promise<SequentialMedium> {
  await changer.load(1, 1);
  const medium = await changer.drive(1).open();
  expect(medium.endOfData).toBe(0);
  await medium.begin(forBlank(medium.barcode), labelOf('A1'));
  return medium;
}

function isBlock(record: MediumRecord, bytes: Buffer): boolean {
  return record.type === 'block' && record.bytes.equals(bytes);
}
