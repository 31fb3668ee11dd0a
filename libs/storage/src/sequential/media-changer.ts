import type { TapeDrive } from './sequential-medium.js';

/** Where cartridges are. What is nowhere here is outside, in somebody's hands. */
export interface ChangerInventory {
  readonly slots: readonly { readonly slot: number; readonly barcode?: string }[];
  readonly drives: readonly { readonly drive: number; readonly barcode?: string }[];
  /** In the mail slot, through which cartridges come and go. */
  readonly mail: readonly string[];
}

/**
 * The robot of a library. Its laws, proved for every adapter by `testing/describe-media-library.ts`:
 *
 * 1. It has one owner, and an ownership ends with its process, whatever way that ends.
 * 2. A move is done or was not begun: a cartridge is in one place, also after a crash.
 * 3. A move never lands where something is, and never takes a cartridge out of a drive that has it
 *    open (`CartridgeBusy`); from an empty place nothing can be moved (`NothingThere`).
 * 4. Slots and drives are numbered from 1; others are refused (`InvalidInput`).
 */
export interface MediaChanger {
  inventory(): Promise<ChangerInventory>;
  load(slot: number, drive: number): Promise<void>;
  unload(drive: number, slot: number): Promise<void>;
  /** From a slot to the mail slot, out of which a person takes it. */
  export(slot: number): Promise<void>;
  /** From the mail slot to a slot. */
  import(barcode: string, slot: number): Promise<void>;
  drive(drive: number): TapeDrive;
  /** Gives up the ownership. */
  close(): Promise<void>;
}
