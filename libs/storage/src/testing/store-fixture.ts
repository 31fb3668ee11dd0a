import type { FragmentStore } from '../fragment-store.js';

/** A fresh, empty volume for one test. */
export interface StoreFixture {
  readonly store: FragmentStore;
  /** Another adapter on the same volume, as after a restart; the same one if it cannot be left. */
  reopen(): FragmentStore;
  /** What it says when it is full, where that is not the status of a disk (129). */
  readonly fullStatus?: number;
  /** False where what was written of a partial fragment's data does not show in its bytes. */
  readonly countsPartialData?: boolean;
  dispose(): Promise<void>;
}

export interface StoreFactory {
  /** @param freeBytes About how much may be written; plenty if left out. */
  (options?: { freeBytes?: number }): Promise<StoreFixture>;
}

/** Runs a test on a fresh volume. */
export type Use = (
  test: (fixture: StoreFixture) => Promise<void>,
  freeBytes?: number,
) => Promise<void>;
