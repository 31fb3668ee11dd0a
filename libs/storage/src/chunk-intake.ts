import type { Manifest } from '#archive/manifest.js';
import type { FragmentName } from './fragment-name.js';

/** A run of archive bytes: the BLAKE3 of it, and its length. */
export interface ChunkEntry {
  readonly id: Buffer;
  readonly length: number;
}

/** One Zstandard frame and the chunks that it holds, one behind the other. */
export interface ChunkFrame {
  readonly stored: Buffer;
  /** BLAKE3 of `stored`, from whoever has just compared it: then it is not computed again. */
  readonly digest?: Buffer;
  readonly chunks: readonly ChunkEntry[];
}

/** A volume that takes archives as chunks, of which it needs only those that it does not have. */
export interface ChunkIntake {
  /** Begins the intake of one backup; `end` it. Ids count within the domain. Throws `InvalidInput` for what is none. */
  session(domain: string): ChunkIntakeSession;
}

/** What it was told is there stays there until `end`. Calls come one at a time. */
export interface ChunkIntakeSession {
  /** Which of these chunks (at most `IDS_PER_BATCH_MAX`) need not be sent. */
  ask(ids: readonly Buffer[]): Promise<boolean[]>;
  /** Takes in a frame of chunks. Throws `InvalidInput`, `VolumeFull` or `VolumeWriteFailed`. */
  add(frame: ChunkFrame): Promise<void>;
  /**
   * Begins a fragment out of chunks that are here or were added. Its id must be new.
   * @param frameBytes archive bytes of each frame of its data but the last one, see `RecipeWriter`
   */
  begin(name: FragmentName, frameBytes: number): Promise<RecipeWriter>;
  /** Lets go of everything. What was added and is in no sealed fragment may be collected. Never throws. */
  end(): Promise<void>;
}

/**
 * A fragment being written whose archive bytes are named, not sent. Its data, as every reader of the
 * volume gets them, are these bytes in raw Zstandard frames (`rawFrame`) of `frameBytes` archive bytes
 * each (the last one may be shorter), with the seek table of these frames behind them. Calls come
 * one at a time.
 */
export interface RecipeWriter {
  readonly name: FragmentName;
  readonly indexBytes: number;
  /** Appends chunks that are here (the session was told so) or that were added to the session. */
  add(chunks: readonly ChunkEntry[]): Promise<void>;
  writeIndex(pieces: readonly Buffer[]): Promise<void>;
  /**
   * Makes the fragment durable and visible. The manifest's `storedBytes` and `digest` are those of its
   * data. Throws `InvalidInput`, and then nothing counts, if one of its chunks is not here.
   */
  seal(manifest: Manifest): Promise<void>;
  /** Leaves what was written where it is. Never throws. */
  abandon(): Promise<void>;
  /** As that of `FragmentWriter`. */
  discard(): Promise<boolean>;
}

/** A chunk and where it begins in what the chunks of its fragment come to. */
export interface PlacedChunk extends ChunkEntry {
  readonly offset: number;
}

/** The chunks of a sealed fragment, for whoever has some of them already. One call at a time. */
export interface ChunkSource {
  readonly domain: string;
  /** As `RecipeWriter` has it; undefined where the chunks are the data as they are. */
  readonly frameBytes: number | undefined;
  /**
   * All of them in their order, at most `IDS_PER_BATCH_MAX` at a time; those left out that end before `from`,
   * and some more of what is in front of it may be there.
   */
  list(from?: number): AsyncIterable<readonly PlacedChunk[]>;
  /**
   * Some of them, each once, in frames that are checked by their digests, and by the ids where they come from another
   * media server. Throws `FragmentUnreadable` or `FragmentDamaged`.
   * @param wholeFrom A stored frame goes as it is, with chunks that were not asked for, if this share of its
   *   bytes was (0 to 1; default 1: nothing else comes). The others are put together anew.
   */
  frames(chunks: readonly ChunkEntry[], wholeFrom?: number): AsyncIterable<ChunkFrame>;
}
