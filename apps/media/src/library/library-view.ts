import type { LibraryVolume } from '#contracts/media/library.js';
import {
  volumeState,
  type OtherCartridge,
  type VolumeBooks,
} from '#storage/library-books/library-state.js';
import type { ChangerInventory } from '#storage/sequential/media-changer.js';

/** Where each cartridge is, in words. */
export function placesOf({ slots, drives, mail }: ChangerInventory): ReadonlyMap<string, string> {
  const places = new Map<string, string>();
  for (const { slot, barcode } of slots) if (barcode) places.set(barcode, `slot ${slot}`);
  for (const { drive, barcode } of drives) if (barcode) places.set(barcode, `drive ${drive}`);
  for (const barcode of mail) places.set(barcode, 'mail');
  return places;
}

export function volumeView(
  volume: VolumeBooks,
  places: ReadonlyMap<string, string>,
): LibraryVolume {
  const { barcode, volumeId, label, writtenBytes, capacityBytes, holds, suspended } = volume;
  return {
    ...{ volume: label, barcode, volumeId, state: volumeState(volume) },
    place: places.get(barcode) ?? 'outside',
    position: volume.endPosition,
    ...{ writtenBytes, capacityBytes, fragments: holds.size, reason: suspended ?? '' },
  };
}

export function cartridgeView(
  { barcode, kind, capacityBytes, reason }: OtherCartridge,
  places: ReadonlyMap<string, string>,
): LibraryVolume {
  return {
    ...{ volume: barcode, barcode, volumeId: null },
    state: kind === 'blank' ? 'scratch' : 'foreign',
    place: places.get(barcode) ?? 'outside',
    ...{ position: 0, writtenBytes: 0, capacityBytes, fragments: 0, reason },
  };
}
