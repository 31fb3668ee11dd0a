import { roomOn, volumeState, type LibraryState, type VolumeBooks } from './library-state.js';
import { bytesOnMedium } from '../sequential/volume-format.js';

/** Where the cartridges are at this moment, those outside and in the mail slot left out. */
export interface LibraryLook {
  readonly places: ReadonlyMap<string, { readonly in: 'slot' | 'drive'; readonly isBusy: boolean }>;
  /** There is a drive that is empty, or whose volume nobody works with. */
  readonly isDriveFree: boolean;
}

/** A volume that somebody has to bring. */
export interface WantedVolume {
  readonly barcode: string;
  readonly label: string;
}

export type Choice =
  | { readonly type: 'take'; readonly barcode: string }
  /** Until somebody gives a drive back. */
  | { readonly type: 'wait' }
  /** Any one of these will do. */
  | { readonly type: 'ask'; readonly wanted: readonly WantedVolume[] }
  /** No volume that is known has so much room. */
  | { readonly type: 'none' };

/** Which cartridge is to be mounted to read from a volume. */
export function chooseToRead(look: LibraryLook, volume: WantedVolume): Choice {
  const { barcode, label } = volume;
  const place = look.places.get(barcode);
  if (!place) return { type: 'ask', wanted: [{ barcode, label }] };
  if (place.isBusy) return { type: 'wait' };
  return place.in === 'drive' || look.isDriveFree ? { type: 'take', barcode } : { type: 'wait' };
}

/**
 * Which cartridge the next fragment goes to: a volume that is mounted and filling, else another one
 * that is filling, else scratch. Where one is busy and a drive is free the next one is begun, so that
 * each drive writes. A volume that is too small for the fragment is left out.
 */
export function chooseToWrite(
  look: LibraryLook,
  state: LibraryState,
  contentBytes: number,
): Choice {
  const fit = candidates(state).filter(({ room }) => room >= bytesOnMedium(contentBytes));
  const here = fit.filter(({ barcode }) => look.places.has(barcode));
  const idle = here.filter(({ barcode }) => {
    const place = look.places.get(barcode)!;
    return !place.isBusy && (place.in === 'drive' || look.isDriveFree);
  });
  const rank = ({ barcode, isScratch }: Candidate) =>
    isScratch ? 2 : look.places.get(barcode)!.in === 'drive' ? 0 : 1;
  const [best] = idle.sort((a, b) => rank(a) - rank(b) || a.order - b.order);
  if (best) return { type: 'take', barcode: best.barcode };
  if (here.length > 0) return { type: 'wait' };
  const wanted = fit.map(({ barcode, label }) => ({ barcode, label }));
  return wanted.length > 0 ? { type: 'ask', wanted } : { type: 'none' };
}

/** The largest fragment that could be written, wherever the volume for it is now. */
export function largestRoom(state: LibraryState): number {
  return Math.max(0, ...candidates(state).map(({ room }) => room - bytesOnMedium(0)));
}

/** Bytes that the volumes among these cartridges still take, and all that they hold. */
export function roomOf(
  state: LibraryState,
  barcodes: ReadonlySet<string>,
): { freeBytes: number; totalBytes: number } {
  const isHere = ({ barcode }: { readonly barcode: string }) => barcodes.has(barcode);
  const here = candidates(state).filter(isHere);
  const volumes = [...state.volumes.values()].filter(isHere);
  const blank = [...state.others.values()].filter((one) => one.kind === 'blank' && isHere(one));
  return {
    freeBytes: sum(here.map(({ room }) => Math.max(0, room - bytesOnMedium(0)))),
    totalBytes: sum([...volumes, ...blank].map(({ capacityBytes }) => capacityBytes)),
  };
}

interface Candidate extends WantedVolume {
  readonly room: number;
  readonly isScratch: boolean;
  /** Labelled ones first, then by name. */
  readonly order: number;
}

function candidates(state: LibraryState): Candidate[] {
  const volumes = [...state.volumes.values()].sort(byBarcode).map(candidateOf);
  const blank = [...state.others.values()]
    .filter(({ kind }) => kind === 'blank')
    .sort(byBarcode)
    .map(({ barcode, capacityBytes: room }) => {
      return { barcode, label: barcode, room, isScratch: true };
    });
  return [...volumes, ...blank].map((one, order) => ({ ...one, order }));
}

function candidateOf(volume: VolumeBooks): Omit<Candidate, 'order'> {
  const { barcode, label } = volume;
  return { barcode, label, room: roomOn(volume), isScratch: volumeState(volume) === 'scratch' };
}

function byBarcode(a: { readonly barcode: string }, b: { readonly barcode: string }): number {
  return a.barcode < b.barcode ? -1 : 1;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
