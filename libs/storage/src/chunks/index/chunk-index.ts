import { PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import type { ChunkMap, Place } from './chunk-map.js';

/** What a closed container holds; a chunk's ordinal is its place in `ids`. */
export interface ContainerContent {
  readonly id: string;
  readonly domain: string;
  readonly ids: readonly Buffer[];
}

/** A container that a collection has made, with the counts that its chunks bring along. */
export interface CollectedContainer extends ContainerContent {
  readonly counts: Uint32Array;
}

/** What taking in a container has led to. */
export interface Added {
  /** Where each of its chunks is now, in their order: there, or where it lay before. */
  readonly places: readonly Place[];
  /** Of chunks that were lost where they lay: from there, into this container. */
  readonly moves: readonly Move[];
}

export interface Move {
  readonly from: Place;
  readonly to: Place;
}

/**
 * Where chunks lie and how many recipes name each. All of it can be made anew (from containers,
 * recipes and the ledger of references). Counts are kept for each container: a recipe names chunks
 * of few containers, so to raise them changes few records. Its laws, proved for every adapter by
 * `testing/describe-chunk-index.ts`:
 *
 * 1. A chunk of a domain lies in one place. Whoever adds it again, in another container, adds bytes
 *    that nobody finds; its counts stay where they are. Only `replace` moves it, and `add` one that is
 *    lost where it lay: with its counts.
 * 2. Each change is done wholly or not at all, whatever happens, and is durable when it resolves.
 * 3. A holder counts once: `change` to what it is already does nothing. A chunk that a map names is
 *    counted once for that holder.
 * 4. No count sinks below 0 and none is lost: a change that would do so, or names a container that
 *    is not there, throws and changes nothing.
 * 5. Nothing leaves it but by `replace`, and that removes an entry only if it leads to one of the
 *    containers that go.
 * 6. What is damaged throws `IndexDamaged`; it is never taken for something else.
 * 7. Behind a change that could not be written it may take no other until it is opened again (`IndexStopped`).
 *
 * Changes come one at a time; look-ups come whenever they like.
 */
export interface ChunkIndex {
  /** Where the chunks of a domain lie, in the order of the ids; at most `IDS_PER_BATCH_MAX`. */
  lookup(domain: string, ids: readonly Buffer[]): Promise<(Place | undefined)[]>;
  /**
   * Takes in a container. Counts begin at 0. Undefined for one that is there already: it stays as it is.
   * @param isLost Whether a chunk that lies there moves into this container, where it has this ordinal.
   */
  add(
    content: ContainerContent,
    isLost?: (place: Place, ordinal: number) => boolean,
  ): Promise<Added | undefined>;
  /** By ordinal; undefined for a container that is not there. */
  counts(container: string): Promise<Uint32Array | undefined>;
  /** Counts the chunks of a map for a holder (a fragment's id), or does not count them any more. */
  change(holder: string, to: 'held' | 'released', chunks: ChunkMap): Promise<void>;
  isHolder(holder: string): Promise<boolean>;
  /** Puts containers, whose chunks are found from then on, into the place of others. */
  replace(
    gone: readonly ContainerContent[],
    collected: readonly CollectedContainer[],
  ): Promise<void>;
  containers(): AsyncIterable<string>;
  holders(): AsyncIterable<string>;
  close(): Promise<void>;
}

/** A change could not be written; there is room for the next one, but nobody knows what reached the disk. Status 83. */
export class IndexStopped extends Unavailable {
  override readonly name = 'IndexStopped';

  constructor() {
    super(
      'The chunk index takes no changes until its volume is opened again',
      STATUS.mediaOpenError,
    );
  }
}

/** The index holds what was never written. It is made anew when its volume is opened again. Status 83. */
export class IndexDamaged extends PermanentError {
  override readonly name = 'IndexDamaged';

  constructor(reason: string) {
    super(
      STATUS.mediaOpenError,
      `The chunk index is damaged, and made anew when its volume is opened again: ${reason}`,
    );
  }
}
