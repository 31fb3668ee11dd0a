import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { manifestOf, fragmentName } from '../testing/fragments.js';
import { chooseToRead, chooseToWrite, type LibraryLook } from './choose-volume.js';
import { LibraryState, roomOn, volumeState } from './library-state.js';
import { permitRecycling } from '../sequential/recycle-permit.js';
import { bytesOnMedium, encodeLabel } from '../sequential/volume-format.js';

const BARCODES = ['T00001', 'T00002', 'T00003'] as const;
const CAPACITY_BYTES = 100_000;
const AT = '2026-01-01T00:00:00.000Z';
const uuid = (seed: number) => fragmentName(seed).fragmentId;
const EMPTY = { data: Buffer.alloc(0), index: Buffer.alloc(0) };

type Step = {
  readonly type: 'write' | 'trash' | 'back' | 'empty' | 'suspend' | 'retire';
  readonly at: number;
};
const steps = fc.array(
  fc.record({
    type: fc.constantFrom<Step['type']>('write', 'trash', 'back', 'empty', 'suspend', 'retire'),
    at: fc.nat({ max: 11 }),
  }),
  { maxLength: 80, size: 'max' },
);

/** What really lies on the cartridges, beside what the ledger says. */
class World {
  readonly state = new LibraryState();
  /** Bytes that somebody may still want, by fragment: the cartridge that they are on. */
  readonly wanted = new Map<string, string>();
  /** The first block of each cartridge, and the fragments that lie behind it. */
  readonly cartridges = new Map<string, { label: Buffer | undefined; bytes: Set<string> }>();
  private next = 100;
  recycled = 0;
  retired = 0;

  constructor() {
    for (const barcode of BARCODES) {
      this.cartridges.set(barcode, { label: undefined, bytes: new Set() });
      const kind = 'blank' as const;
      this.state.apply({
        type: 'CARTRIDGE',
        barcode,
        kind,
        capacityBytes: CAPACITY_BYTES,
        reason: '',
      });
    }
  }

  run({ type, at }: Step): void {
    const ids = [...this.state.fragments.keys()];
    const fragmentId = ids[at % Math.max(1, ids.length)];
    const found = fragmentId === undefined ? undefined : this.state.fragments.get(fragmentId);
    if (type === 'write') this.write(BARCODES[at % BARCODES.length]!);
    else if (type === 'suspend') this.suspend(BARCODES[at % BARCODES.length]!);
    else if (type === 'retire') this.retire(BARCODES[at % BARCODES.length]!);
    else if (!found || !fragmentId) return;
    else if (type === 'trash' && !found.trash) {
      this.state.apply({ type: 'TRASHED', fragmentId, tombstoneId: uuid(1), at: AT });
    } else if (type === 'back' && found.trash) this.state.apply({ type: 'TAKEN_BACK', fragmentId });
    else if (type === 'empty' && found.trash) {
      this.state.apply({ type: 'GONE', fragmentId });
      this.wanted.delete(fragmentId);
    }
  }

  /** As the library does it: a volume begins anew whenever it may. */
  private write(barcode: string): void {
    const cartridge = this.cartridges.get(barcode)!;
    const books = this.state.volumeOn(barcode);
    const mounted = { barcode, label: cartridge.label, endOfData: books?.endPosition ?? 0 };
    const permit = permitRecycling(mounted, books);
    if (permit) this.begin(barcode);
    const volume = this.state.volumeOn(barcode)!;
    if (volumeState(volume) === 'full' || volumeState(volume) === 'suspended') return;
    const fragmentId = uuid((this.next += 1));
    this.cartridges.get(barcode)!.bytes.add(fragmentId);
    this.wanted.set(fragmentId, barcode);
    const { volumeId } = volume;
    const manifest = manifestOf(fragmentName(this.next), EMPTY);
    const place = { position: 2, manifestBytes: 1, at: AT };
    this.state.apply({ type: 'WRITTEN', volumeId, manifest, ...place });
  }

  private begin(barcode: string): void {
    const volumeId = uuid((this.next += 1));
    const name = { label: barcode, volumeId };
    const where = { mediaId: 'media1', pool: 'tape', labelledAt: AT };
    const old = this.cartridges.get(barcode)!;
    if (old.bytes.size > 0) this.recycled += 1;
    this.cartridges.set(barcode, { label: encodeLabel({ ...name, ...where }), bytes: new Set() });
    const volume = { ...name, barcode, capacityBytes: CAPACITY_BYTES, labelledAt: AT };
    this.state.apply({ type: 'LABELLED', ...volume });
  }

  /** As the ledger does it: refused where it does not fit. It comes back as a blank one at once. */
  private retire(barcode: string): void {
    try {
      this.state.apply({ type: 'RETIRED', barcode });
    } catch {
      return;
    }
    expect(this.state.isKnown(barcode)).toBe(false);
    this.cartridges.set(barcode, { label: undefined, bytes: new Set() });
    this.retired += 1;
  }

  private suspend(barcode: string): void {
    const volume = this.state.volumeOn(barcode);
    if (!volume) return;
    const { volumeId, endPosition, writtenBytes, capacityBytes, full, suspended } = volume;
    const why = suspended === undefined ? 'a write failed' : null;
    const extent = { endPosition, writtenBytes, capacityBytes, full, suspended: why };
    this.state.apply({ type: 'EXTENT', volumeId, ...extent });
  }
}

describe('a volume', () => {
  it('begins anew only when every fragment on it is gone by its tombstone for good', () => {
    let recycled = 0;
    fc.assert(
      fc.property(steps, (all) => {
        const world = new World();
        for (const step of all) {
          world.run(step);
          for (const [fragmentId, barcode] of world.wanted) {
            expect(world.cartridges.get(barcode)!.bytes.has(fragmentId)).toBe(true);
          }
        }
        recycled += world.recycled;
      }),
      { numRuns: 150 },
    );
    expect(recycled).toBeGreaterThan(0);
  });

  it('goes out of use only when it holds nothing that anybody may still want', () => {
    let retired = 0;
    fc.assert(
      fc.property(steps, (all) => {
        const world = new World();
        for (const step of all) world.run(step);
        for (const [fragmentId, barcode] of world.wanted) {
          expect(world.state.volumeOn(barcode)!.holds.has(fragmentId)).toBe(true);
        }
        retired += world.retired;
      }),
      { numRuns: 100 },
    );
    expect(retired).toBeGreaterThan(0);
  });

  it('is not begun anew on the word of books that are another volume’s, or of none', () => {
    const label = encodeLabel({
      ...{ label: 'A1', volumeId: uuid(7), mediaId: 'media1', pool: 'tape', labelledAt: AT },
    });
    const barcode = 'T00001';
    const free = { volumeId: uuid(7), holds: new Set<string>(), endPosition: 9 };
    const cartridge = { barcode, label, endOfData: 9 };
    expect(permitRecycling(cartridge, free)).toBeDefined();
    expect(permitRecycling(cartridge, undefined)).toBeUndefined();
    expect(permitRecycling(cartridge, { ...free, volumeId: uuid(8) })).toBeUndefined();
    expect(permitRecycling(cartridge, { ...free, writing: uuid(9) })).toBeUndefined();
    expect(permitRecycling(cartridge, { ...free, suspended: 'x' })).toBeUndefined();
    // Books that are older than what was written last.
    expect(permitRecycling({ ...cartridge, endOfData: 10 }, free)).toBeUndefined();
    expect(permitRecycling({ ...cartridge, label: Buffer.from('HDR1') }, free)).toBeUndefined();
    expect(permitRecycling({ ...cartridge, label: undefined }, free)).toBeUndefined();
  });
});

describe('the ledger of a library', () => {
  it('comes out the same from the fewest records that lead to it', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const { state } = all.reduce((world, step) => (world.run(step), world), new World());
        const again = new LibraryState();
        for (const record of state.records()) again.apply(record);
        expect(again.fragments).toEqual(state.fragments);
        expect(again.volumes).toEqual(state.volumes);
        expect(again.others).toEqual(state.others);
      }),
      { numRuns: 100 },
    );
  });

  /** CPU time of writing, putting aside and deleting so many fragments, in microseconds. */
  const cpuMicrosOf = (count: number): number => {
    const state = new LibraryState();
    const volumeId = uuid(1);
    const volume = { barcode: 'T1', label: 'T1', capacityBytes: 10, labelledAt: AT };
    state.apply({ type: 'LABELLED', volumeId, ...volume });
    const place = { position: 2, manifestBytes: 1, at: AT };
    const manifests = Array.from({ length: count }, (_, nth) =>
      manifestOf(fragmentName(nth + 2), EMPTY),
    );
    const before = process.cpuUsage();
    for (const manifest of manifests) {
      const { fragmentId } = manifest;
      state.apply({ type: 'WRITTEN', volumeId, manifest, ...place });
      state.apply({ type: 'TRASHED', fragmentId, tombstoneId: fragmentId, at: AT });
    }
    const found: string[] = [];
    for (const { fragmentId } of manifests) {
      found.push(...state.trash(fragmentId).map(({ manifest }) => manifest.fragmentId));
      state.apply({ type: 'GONE', fragmentId });
    }
    const { user, system } = process.cpuUsage(before);
    expect(found).toEqual(manifests.map(({ fragmentId }) => fragmentId));
    expect([state.fragments.size, state.trash().length]).toEqual([0, 0]);
    expect(volumeState(state.volumes.get(volumeId)!)).toBe('scratch');
    return user + system;
  };

  it('takes as long for each of many fragments as for each of few', () => {
    const few = cpuMicrosOf(2_000);
    // Ten times as many: about a hundred times as much where each one looks at all of them.
    expect(cpuMicrosOf(20_000)).toBeLessThan(30 * few);
  });

  it('takes no record that fits nothing before it', () => {
    const state = new LibraryState();
    expect(() => state.apply({ type: 'GONE', fragmentId: uuid(1) })).toThrow(/fits nothing/);
    const volume = { barcode: 'T1', label: 'T1', capacityBytes: 10, labelledAt: AT };
    state.apply({ type: 'LABELLED', volumeId: uuid(1), ...volume });
    const manifest = manifestOf(fragmentName(5), EMPTY);
    const place = { position: 2, manifestBytes: 1, at: AT };
    const written = { type: 'WRITTEN', volumeId: uuid(1), manifest, ...place } as const;
    expect(() => state.expectFit([written, written])).toThrow(/fits nothing/);
    state.apply(written);
    const anew = { type: 'LABELLED', volumeId: uuid(2), ...volume } as const;
    expect(() => state.apply(anew)).toThrow(/fits nothing/);
    for (const barcode of ['T1', 'T2']) {
      expect(() => state.apply({ type: 'RETIRED', barcode })).toThrow(/fits nothing/);
    }
  });
});

const places = fc.dictionary(
  fc.constantFrom(...BARCODES),
  fc.record({ in: fc.constantFrom<'slot' | 'drive'>('slot', 'drive'), isBusy: fc.boolean() }),
);

describe('the choice of a volume', () => {
  it('takes one that is there, idle and has room, and fails only when none could ever be had', () => {
    fc.assert(
      fc.property(steps, places, fc.boolean(), fc.nat({ max: 120_000 }), (all, at, free, bytes) => {
        const world = all.reduce((one, step) => (one.run(step), one), new World());
        const fixed = Object.entries(at).map(([barcode, place]) => {
          return [barcode, { ...place, isBusy: place.in === 'drive' && place.isBusy }] as const;
        });
        const look: LibraryLook = { places: new Map(fixed), isDriveFree: free };
        const room = (barcode: string) => {
          const volume = world.state.volumeOn(barcode);
          return volume ? roomOn(volume) : CAPACITY_BYTES;
        };
        const fitting = BARCODES.filter((barcode) => {
          return world.state.isKnown(barcode) && room(barcode) >= bytesOnMedium(bytes);
        });
        const choice = chooseToWrite(look, world.state, bytes);
        if (choice.type === 'take') {
          const place = look.places.get(choice.barcode)!;
          expect([place.isBusy, fitting.includes(choice.barcode as never)]).toEqual([false, true]);
          expect(place.in === 'drive' || free).toBe(true);
        }
        expect(choice.type === 'none').toBe(fitting.length === 0);
        const here = fitting.filter((barcode) => look.places.has(barcode));
        expect(choice.type === 'ask').toBe(fitting.length > 0 && here.length === 0);
      }),
      { numRuns: 150 },
    );
  });

  it('reads from the volume that is asked for, waits while it is busy, and asks for one that is away', () => {
    const volume = { barcode: 'T00001', label: 'A1' };
    const look = (place: { in: 'slot' | 'drive'; isBusy: boolean }, isDriveFree: boolean) => ({
      ...{ places: new Map([['T00001', place]]), isDriveFree },
    });
    const take = { type: 'take', barcode: 'T00001' };
    expect(chooseToRead(look({ in: 'drive', isBusy: false }, false), volume)).toEqual(take);
    expect(chooseToRead(look({ in: 'slot', isBusy: false }, true), volume)).toEqual(take);
    expect(chooseToRead(look({ in: 'slot', isBusy: false }, false), volume).type).toBe('wait');
    expect(chooseToRead(look({ in: 'drive', isBusy: true }, true), volume).type).toBe('wait');
    const away = chooseToRead({ places: new Map(), isDriveFree: true }, volume);
    expect(away).toEqual({ type: 'ask', wanted: [volume] });
  });
});
