import type { BytePath } from '../posix/byte-path.js';
import type { RefusedSource } from './fall-over.js';
import type { FragmentReader, RestoreImage } from './restore-source.js';
import type { WriterThread } from './writer/start-writer.js';

export interface RestoreRequest {
  /**
   * The images that make up the state to restore, oldest first: a full, then incrementals. Of several streams one such
   * chain behind the other; where they overlap the last stream rules.
   */
  readonly chain: readonly RestoreImage[];
  readonly reader: FragmentReader;
  /** Told of each source that another one had to take the place of, or that nobody could. */
  readonly onRefused?: (refused: RefusedSource) => void;
  /** Told before anything is written of what is wrong with the indexes. These notes are the first ones of the result, too. */
  readonly onSurveyed?: (notes: readonly string[]) => void;
  /** Path texts: each stands for itself and everything below it. Empty: everything. */
  readonly selection: readonly string[];
  /** Folder below which everything goes, under its whole path. Made if it is missing. */
  readonly destination: BytePath;
  /** Replaces files that are there. Without it they are left alone, and the restore is partial. */
  readonly overwrite?: boolean;
  /** Called after each few hundred files or MiB. */
  readonly onProgress?: (progress: RestoreProgress) => void;
  /** Stops in order: an unfinished file is removed, finished ones stay. */
  readonly signal?: AbortSignal;
  /** Another way to start the thread that writes. */
  readonly thread?: WriterThread;
}

export interface RestoreProgress {
  readonly files: number;
  readonly bytes: number;
  readonly filesTotal: number;
  readonly bytesTotal: number;
}
