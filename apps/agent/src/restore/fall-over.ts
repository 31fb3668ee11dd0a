import { Blake3Hasher } from '@napi-rs/blake-hash';

import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

import {
  readRange,
  type ArchiveRead,
  type FragmentRead,
  type FragmentReader,
  type FragmentSource,
  type RestoreFragment,
  type RestoreImage,
} from './restore-source.js';

type ObjectKind = FragmentRead['object'];

/** A source that did not give what was committed, or could not be reached. */
export interface RefusedSource {
  readonly fragment: RestoreFragment;
  readonly source: FragmentSource;
  readonly reason: string;
  /** The bytes are to blame, and not the way to them. */
  readonly damaged: boolean;
  /** Who is asked in its place; undefined: nobody is left. */
  readonly next: FragmentSource | undefined;
}

export interface FallOverOptions {
  readonly chain: readonly RestoreImage[];
  readonly reader: FragmentReader;
  /** Called once for each damaged source, and once for a media server that cannot be reached. */
  readonly onRefused?: ((refused: RefusedSource) => void) | undefined;
  /** Called once for each fragment whose index was used, and is not what was committed. */
  readonly onUnproven?: ((fragment: RestoreFragment, reason: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const CHUNK_BYTES = 512 * 1024;
export const INDEX_DIFFERS = 'its index is not what was written';

/**
 * Reads fragments from the best of their sources, and from another one when that fails. The bytes are the same in all
 * of them, so each range may come from another source. A source that has failed is asked last from
 * then on, but still is: it may hold the very range that the others have lost. Data and index of a fragment are
 * judged apart.
 */
export class FallOver {
  /** Orders that differ from that of the catalog, by object and first source. */
  readonly #orders = new Map<string, readonly FragmentSource[]>();
  readonly #damaged = new Set<string>();
  readonly #away = new Set<string>();
  readonly #mediaServers: ReadonlySet<string>;
  readonly #indexes = new Map<string, Promise<void>>();
  /** Fragments whose index was held against its digest, whatever came of it. */
  readonly #judged = new Set<string>();

  constructor(private readonly options: FallOverOptions) {
    const sources = options.chain.flatMap(({ fragments }) => fragments.flatMap((f) => f.sources));
    this.#mediaServers = new Set(sources.map(({ mediaId }) => mediaId));
  }

  /** What fails from then on fails because it is to end. */
  get isStopped(): boolean {
    return this.options.signal?.aborted === true;
  }

  /**
   * Has `use` work with one source after the other until it does not throw that a source is damaged
   * (`PermanentError`) or out of reach (`Unavailable`).
   * @throws PermanentError when no source is left: damage; Unavailable when no media server is left
   */
  async fromBest<T>(
    fragment: RestoreFragment,
    object: ObjectKind,
    use: (source: FragmentSource) => Promise<T>,
  ): Promise<T> {
    let failure: unknown;
    const order = this.#order(fragment, object);
    for (const [at, source] of order.entries()) {
      try {
        return await use(source);
      } catch (error) {
        const isOfSource = error instanceof PermanentError || error instanceof Unavailable;
        if (!isOfSource || this.isStopped) throw error;
        failure = error;
        this.#refuse({ fragment, object, source, error, next: order[at + 1] });
      }
    }
    const hope = [...this.#mediaServers].some((id) => !this.#away.has(id));
    if (failure instanceof Unavailable && hope) {
      throw new PermanentError(STATUS.mediaReadError, failure.message);
    }
    throw failure ?? new PermanentError(STATUS.mediaReadError, 'no copy of it is left');
  }

  /** A range from the first source that gives it. Throws as `fromBest` does. */
  read(fragment: RestoreFragment, range: Omit<FragmentRead, 'fragmentId'>): Promise<Buffer> {
    return this.fromBest(fragment, range.object, (source) => this.readFrom(source, range));
  }

  readFrom(
    source: FragmentSource,
    range: Omit<FragmentRead, 'fragmentId'>,
  ): Promise<Buffer<ArrayBuffer>> {
    return readRange(this.options.reader, { fragmentId: source.fragmentId, ...range });
  }

  /** See `FragmentReader.readArchive`. */
  async archiveFrom(
    { fragmentId }: FragmentSource,
    range: Omit<ArchiveRead, 'fragmentId'>,
  ): Promise<Buffer<ArrayBuffer> | undefined> {
    return this.options.reader.readArchive?.({ fragmentId, ...range });
  }

  /**
   * Finds a source whose index is what was committed, where there is a choice: lines that are used
   * cannot be taken back. Then `read` begins with it. Never throws for damage: if all of them are
   * damaged, whoever reads gets what there is.
   */
  prepareIndex(fragment: RestoreFragment): Promise<void> {
    const key = keyOf(fragment, 'index');
    const known = this.#indexes.get(key);
    if (known) return known;
    const found = fragment.sources.length < 2 ? Promise.resolve() : this.#findIndex(fragment);
    this.#indexes.set(key, found);
    return found;
  }

  /**
   * Reads a whole index, unless that was done, and tells where it is not what was committed: for whoever uses a part of
   * one, which shows nothing of the rest. Throws `Unavailable`.
   */
  async proveIndex(fragment: RestoreFragment): Promise<void> {
    if (this.#judged.has(keyOf(fragment, 'index'))) return;
    try {
      const digest = await digestOf(fragment, (range) => this.read(fragment, range));
      this.judge(fragment, digest === fragment.indexDigest ? undefined : INDEX_DIFFERS);
    } catch (error) {
      if (!(error instanceof PermanentError) || this.isStopped) throw error;
      this.judge(fragment, error.message);
    }
  }

  /** For whoever has read a whole index: why it is not what was committed; undefined if it is. */
  judge(fragment: RestoreFragment, reason: string | undefined): void {
    const key = keyOf(fragment, 'index');
    if (this.#judged.has(key)) return;
    this.#judged.add(key);
    if (reason !== undefined) this.options.onUnproven?.(fragment, reason);
  }

  async #findIndex(fragment: RestoreFragment): Promise<void> {
    try {
      await this.fromBest(fragment, 'index', (source) => this.#checkIndex(fragment, source));
    } catch (error) {
      if (!(error instanceof PermanentError)) throw error;
    }
  }

  async #checkIndex(fragment: RestoreFragment, source: FragmentSource): Promise<void> {
    const digest = await digestOf(fragment, (range) => this.readFrom(source, range));
    if (digest === fragment.indexDigest) return;
    throw new PermanentError(STATUS.mediaReadError, INDEX_DIFFERS);
  }

  #order(fragment: RestoreFragment, object: ObjectKind): readonly FragmentSource[] {
    const order = this.#orders.get(keyOf(fragment, object)) ?? fragment.sources;
    if (this.#away.size === 0) return order;
    const isAway = ({ mediaId }: FragmentSource): boolean => this.#away.has(mediaId);
    return [...order.filter((one) => !isAway(one)), ...order.filter(isAway)];
  }

  #refuse(refused: {
    fragment: RestoreFragment;
    object: ObjectKind;
    source: FragmentSource;
    error: unknown;
    next: FragmentSource | undefined;
  }): void {
    const { fragment, object, source, error, next } = refused;
    const damaged = error instanceof PermanentError;
    const said = damaged ? this.#damaged : this.#away;
    const key = damaged ? source.fragmentId : source.mediaId;
    if (damaged) {
      const others = this.#order(fragment, object).filter((one) => one !== source);
      this.#orders.set(keyOf(fragment, object), [...others, source]);
    }
    if (said.has(key)) return;
    said.add(key);
    this.options.onRefused?.({ fragment, source, reason: messageOf(error), damaged, next });
  }
}

async function digestOf(
  { indexBytes }: RestoreFragment,
  read: (range: Omit<FragmentRead, 'fragmentId'>) => Promise<Buffer>,
): Promise<string> {
  const digest = new Blake3Hasher();
  for (let offset = 0; offset < indexBytes; offset += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, indexBytes - offset);
    digest.update(await read({ object: 'index', offset, length }));
  }
  return digest.digest('hex');
}

/** Every fragment has a first source, and no two have the same. */
function keyOf({ sources }: RestoreFragment, object: ObjectKind): string {
  return `${object} ${sources[0]?.fragmentId}`;
}
