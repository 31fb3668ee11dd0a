import { compareArchivePaths, isWithin } from '../archive-order.js';
import type { ByteString } from '../path-text.js';

/** One line of one image's index, parsed as far as merging needs. */
export interface IndexItem {
  /** Which image of the chain, 0 being the oldest. */
  readonly image: number;
  readonly type: string;
  readonly path: ByteString;
  /** As a byte string, without its newline. */
  readonly line: string;
}

/** Goes through one image's index, line by line. */
export interface IndexCursor {
  /** The line at which the cursor stands; undefined when `load` has to be called. */
  readonly current: IndexItem | undefined;
  /** Steps on. False means that nothing more is at hand: `load` fetches more. */
  step(): boolean;
  /** Fetches lines until there is a current one. False at the end of the index. */
  load(): Promise<boolean>;
}

/**
 * Linked files of a chain whose links are put together again, by a restore and by a synthetic full; links of further
 * ones become files of their own. Only the links' lines tell which data is linked, so these are kept in memory.
 */
export const LINKED_FILES_MAX = 500_000;

/** Items are handed on in lists of this many, so that not each one costs an `await`. */
const ITEMS_PER_BATCH = 128;

/**
 * Merges the indexes of a chain (oldest first) into the list of what exists after its newest image, in archive
 * order. For each path the newest image rules. What is no folder any more hides everything that older images have
 * below it, even if a folder of that name comes back later. An `x` speaks of its own path alone, for all that was below
 * it and is gone has one, too: what a selection has there may stand. Memory: what the cursors hold, one for each image
 * and all at once; a batch of items; the depth of the tree.
 */
export async function* mergeIndexes(
  cursors: readonly IndexCursor[],
): AsyncGenerator<IndexItem[], void, undefined> {
  const live = new Set(cursors);
  const hidden = new HiddenFolders();
  for (const cursor of cursors) if (!(await cursor.load())) live.delete(cursor);
  let batch: IndexItem[] = [];
  while (live.size > 0) {
    const path = lowestPath(live);
    let winner: IndexItem | undefined;
    let hider = -1;
    for (const cursor of live) {
      const item = cursor.current;
      if (item === undefined || item.path !== path) continue;
      if (winner === undefined || item.image > winner.image) winner = item;
      if (item.type !== 'd' && item.type !== 'x') hider = Math.max(hider, item.image);
      if (!cursor.step() && !(await cursor.load())) live.delete(cursor);
    }
    if (winner !== undefined && winner.image >= hidden.levelAt(path) && winner.type !== 'x') {
      batch.push(winner);
    }
    // Nothing is older than image 0, so what it hides is nothing.
    if (hider > 0) hidden.hideBelow(path, hider);
    if (batch.length < ITEMS_PER_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function lowestPath(cursors: Iterable<IndexCursor>): ByteString {
  let lowest: ByteString | undefined;
  for (const { current } of cursors) {
    if (current === undefined) continue;
    if (lowest === undefined || compareArchivePaths(current.path, lowest) < 0)
      lowest = current.path;
  }
  return lowest ?? '';
}

/** Up to which image everything below the paths on the way to the current one is hidden. */
class HiddenFolders {
  readonly #stack: { path: ByteString; level: number }[] = [];

  /** Entries of images below this number do not exist at `path`. Asked in archive order. */
  levelAt(path: ByteString): number {
    let top = this.#stack.at(-1);
    while (top !== undefined && !isWithin(path, top.path)) {
      this.#stack.pop();
      top = this.#stack.at(-1);
    }
    return top?.level ?? 0;
  }

  hideBelow(path: ByteString, image: number): void {
    this.#stack.push({ path, level: Math.max(this.levelAt(path), image) });
  }
}
