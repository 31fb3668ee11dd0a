import type { Manifest } from '#archive/manifest.js';
import type { ChunkIntake, ChunkSource } from './chunk-intake.js';
import type { ConfirmedGrant } from './confirmed-grant.js';
import type { FragmentName } from './fragment-name.js';

export type FragmentObject = 'data' | 'index';

/** The most that one `read` gives. */
export const READ_BYTES_MAX = 1024 * 1024;

/**
 * Where fragments lie: one volume. Its laws, proved for every adapter by
 * `testing/describe-fragment-store.ts`:
 *
 * 1. A fragment is there when its manifest is, and then it is whole: `seal` makes data and index
 *    durable before the manifest appears. When `seal` has resolved, the fragment survives a power
 *    loss.
 * 2. What is sealed never changes. Nothing here can alter, replace or remove it, and neither a
 *    failed write nor a full volume touches it.
 * 3. Nothing is removed but by `remove`, with the grant that the catalog confirmed for this very
 *    fragment, and even that only puts it aside: `takeBack` brings it back as it was, until the
 *    trash of its tombstone is emptied. All three may be repeated, also after a crash in between.
 *    What was begun and not sealed stays where it is and is listed as `partial`, unless its own writer
 *    takes it back before it begins to seal it (`discard`).
 * 4. A name cannot lead out of the volume: ids are checked (`InvalidInput`).
 * 5. A write for which there is no room fails with `VolumeFull`, while a reserve is still free for
 *    the journal; any other failure of the medium is `VolumeWriteFailed`. The writer that failed is
 *    of no more use.
 * 6. `copyFrom` writes the very bytes of the source, or fails: what was written is read back, and its
 *    digests are those of the source's manifest. The source is read and nothing else. Where both have
 *    `chunks`, only those that are not here are read and written, frame by frame as they are stored, each
 *    checked by its digest.
 * 7. A read gives exactly the bytes that were asked for, or fails with `FragmentUnreadable`.
 */
export interface FragmentStore {
  /** Where data are deduplicated: takes chunks of an archive instead of its bytes. */
  readonly chunks?: ChunkIntake;
  /** Begins a fragment under a temporary name. Its id must be new: a known one is an error. */
  create(name: FragmentName): Promise<FragmentWriter>;
  /**
   * Where fragments share a room on their way to the medium: the same, when there is room for one of this
   * plan beside those that were begun. Whoever begins beside others has to come this way.
   */
  createInTurn?(name: FragmentName, plan: FragmentPlan): Promise<FragmentWriter>;
  /** Opens a sealed fragment. */
  open(name: FragmentName): Promise<SealedFragmentReader>;
  /**
   * What is known of one fragment; undefined if nothing lies under its name. Throws `HostExhausted` where that cannot
   * be said now.
   */
  stat(name: FragmentName): Promise<StoredFragment | undefined>;
  /**
   * Makes the names durable under which a fragment is seen. A process that died after it had given
   * them may not have come to that; so it is done before what it left behind counts. Of nothing it does nothing.
   */
  settle(name: FragmentName): Promise<void>;
  /**
   * All that lies on the volume, by image, copy and number, the trash left out. Of what is `known`
   * only the names are read. A folder that cannot be read is thrown behind all others: what it holds is not known.
   */
  list(known?: (fragmentId: string) => boolean): AsyncIterable<StoredFragment>;
  /** Bytes that may still be written, the reserve left out; 0 when the volume is full. */
  freeBytes(): Promise<number>;
  /**
   * Puts a sealed fragment into the trash of the grant's tombstone; when it has resolved, that is
   * durable. Where nothing lies nothing happens. A grant for another fragment is a bug.
   */
  remove(grant: ConfirmedGrant, name: FragmentName): Promise<void>;
  /**
   * What lies in the trash, by tombstone; or what one tombstone has put there. What cannot be looked at is thrown
   * behind all others.
   */
  trash(tombstoneId?: string): AsyncIterable<TrashedFragment>;
  /** Brings a fragment back into its place, durably. Where the trash has nothing, nothing happens. */
  takeBack(tombstoneId: string, name: FragmentName): Promise<void>;
  /** Gives up for good what lies in the trash of a tombstone. */
  emptyTrash(tombstoneId: string): Promise<void>;
}

/** What is known of a fragment before it is begun. */
export interface FragmentPlan {
  /** Bytes that its data will have at most; of the index nobody knows before. */
  readonly bytesMax: number;
  /** Ends the wait for room, with status 150. */
  readonly signal?: AbortSignal;
}

/** One fragment being written. Calls come one at a time. */
export interface FragmentWriter {
  readonly name: FragmentName;
  readonly dataBytes: number;
  readonly indexBytes: number;
  /** Appends to the data. The pieces may be reused when it has resolved. */
  writeData(pieces: readonly Buffer[]): Promise<void>;
  /** Appends to the index. */
  writeIndex(pieces: readonly Buffer[]): Promise<void>;
  /**
   * Writes data and index of a sealed fragment, by the file system where it can do that alone (as a
   * reflink, or as a copy within the kernel). For a writer that has written nothing yet. Throws
   * `FragmentDamaged` or `FragmentUnreadable` for a source that is not what its manifest says; then
   * this writer is of no more use.
   */
  copyFrom(source: SealedFragmentReader): Promise<void>;
  /** Where data are deduplicated: whether it can be made of these chunks. */
  takes?(chunks: ChunkSource): boolean;
  /**
   * Where it takes them: writes data of chunks instead of bytes, of which only those are fetched that are not
   * here. For a writer that has written no data yet. Throws what the source throws.
   * @param dataBytes what its data will come to
   */
  copyChunks?(chunks: ChunkSource, dataBytes: number): Promise<void>;
  /**
   * Makes the fragment durable and visible; afterwards the writer is closed. The manifest has to
   * agree with the name and with what was written (a manifest that does not is a bug).
   */
  seal(manifest: Manifest): Promise<void>;
  /** Lets go of the files and leaves what was written where it is. Never throws. */
  abandon(): Promise<void>;
  /**
   * Lets go of the files, and takes back what was written: it is certain of this writer that nobody was told of
   * it. Where `seal` was begun it stays, but for what lies in a spool and is not read any more. Never throws.
   * @returns whether nothing is left of it; false from the begin of `seal` on
   */
  discard(): Promise<boolean>;
}

/**
 * A sealed fragment, open for reading and through nothing else: duplication, restore and verify
 * hold their sources by this type, which offers no way to harm them.
 */
export interface SealedFragmentReader {
  readonly manifest: Manifest;
  /**
   * File descriptors that are open for reading only, where there are files: by them a file system
   * copies without the bytes coming through here.
   */
  readonly descriptors?: Readonly<Record<FragmentObject, number>>;
  /** Where it is made of chunks: these. */
  readonly chunks?: ChunkSource;
  /** Bytes of the data or of the index. */
  size(object: FragmentObject): number;
  /**
   * Exactly `length` bytes (at most `READ_BYTES_MAX`) from `offset` on. They may come in `into`, whose first
   * `length` bytes are the reader's until this resolves, or in memory of its own.
   */
  read(object: FragmentObject, offset: number, length: number, into?: Buffer): Promise<Buffer>;
  /**
   * Where that is faster than to read them: the digest of its data (hex). Undefined where they could not be had
   * so: whoever reads them then hears what is wrong. One that is not what it should be, too, is to be made of
   * what is read before it is believed.
   * @param onBytes hears of bytes of the data; what it throws ends it
   */
  digestData?(onBytes: (bytes: number) => void): Promise<string | undefined>;
  close(): Promise<void>;
}

/** A fragment that a tombstone has put aside, wholly or (after a crash) in part. */
export interface TrashedFragment {
  readonly tombstoneId: string;
  readonly fragmentId: string;
  readonly number: number;
  /** When the last of it was put there, by the clock of the file system. */
  readonly since: Date;
  /** If it is there and can be read. */
  readonly manifest?: Manifest;
  /** Its manifest is there, and the medium does not give it. */
  readonly isUnreadable?: boolean;
}

export type StoredFragment =
  | { readonly state: 'sealed'; readonly name: FragmentName; readonly manifest: Manifest }
  | { readonly state: 'partial'; readonly name: FragmentName; readonly dataBytes: number }
  /** There is a manifest, but it cannot be read or does not agree with what lies beside it. */
  | {
      readonly state: 'damaged';
      readonly name: FragmentName;
      readonly reason: string;
      /** The medium does not say what is there, which may be all of it. */
      readonly isUnreadable?: boolean;
    };
