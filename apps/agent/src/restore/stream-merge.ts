import { compareArchivePaths, isWithin } from '#archive/archive-order.js';
import type { ByteString } from '#archive/path-text.js';

import type { IndexItem } from '#archive/chain/index-merge.js';

/** Items are handed on in lists of this many, so that not each one costs an `await`. */
const ITEMS_PER_BATCH = 128;

type Items = AsyncGenerator<IndexItem[], void, undefined>;

/**
 * Merges what exists in each of several streams (the one with the newest image last) into what exists in all of them
 * together, in archive order. Streams know nothing of each other: what one has deleted, or never had, takes nothing from
 * another. Where several have the same path the last one rules; what it has as no folder hides what others have
 * below. Memory: one batch of each stream, and the depth of the tree.
 */
export async function* mergeStreams(streams: readonly Items[]): Items {
  const [only, another] = streams;
  if (only !== undefined && another === undefined) {
    yield* only;
    return;
  }
  const heads = streams.map((items) => new Head(items));
  let live: Head[] = [];
  for (const head of heads) if (await head.load()) live.push(head);
  const hiding = new HidingFiles();
  let batch: IndexItem[] = [];
  while (live.length > 0) {
    const path = lowestPath(live);
    let winner: IndexItem | undefined;
    let ended = false;
    for (const head of live) {
      const item = head.current;
      if (item?.path !== path) continue;
      winner = item; // the last one rules
      if (!head.step() && !(await head.load())) ended = true;
    }
    if (ended) live = live.filter(({ current }) => current !== undefined);
    if (winner !== undefined && !hiding.hides(path)) {
      batch.push(winner);
      if (winner.type !== 'd') hiding.hideBelow(path);
    }
    if (batch.length < ITEMS_PER_BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Where one stream stands. */
class Head {
  #batch: readonly IndexItem[] = [];
  #at = 0;

  constructor(private readonly items: Items) {}

  get current(): IndexItem | undefined {
    return this.#batch[this.#at];
  }

  /** Steps on. False means that nothing more is at hand: `load` fetches the next batch. */
  step(): boolean {
    return ++this.#at < this.#batch.length;
  }

  /** False at the end of the stream. */
  async load(): Promise<boolean> {
    while (this.current === undefined) {
      const next = await this.items.next();
      if (next.done === true) return false;
      this.#batch = next.value;
      this.#at = 0;
    }
    return true;
  }
}

function lowestPath(heads: readonly Head[]): ByteString {
  let lowest: ByteString | undefined;
  for (const { current } of heads) {
    if (current === undefined) continue;
    if (lowest === undefined || compareArchivePaths(current.path, lowest) < 0)
      lowest = current.path;
  }
  return lowest ?? '';
}

/** The last path that is no folder: what lies below it comes right behind it. */
class HidingFiles {
  #path: ByteString | undefined;

  hideBelow(path: ByteString): void {
    this.#path = path;
  }

  hides(path: ByteString): boolean {
    return this.#path !== undefined && isWithin(path, this.#path);
  }
}
