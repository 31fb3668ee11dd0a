import type { BytePath } from '../../posix/byte-path.js';
import type { LoadedFrame } from '../frame-loader.js';
import type { RestoreNote } from '../restore-notes.js';
import type { PlannedEntry } from '../restore-plan.js';

export interface WriterOptions {
  /** Folder below which everything is written; made if it is missing. */
  readonly destination: BytePath;
  readonly overwrite: boolean;
  /** Images of the chain. */
  readonly images: number;
}

/** What the writer is told. Entries come in archive order; frames of each image in ascending order. */
export type ToWriter =
  | {
      readonly kind: 'entries';
      readonly entries: readonly PlannedEntry[];
      readonly linked: readonly boolean[];
    }
  | { readonly kind: 'frames'; readonly image: number; readonly frames: readonly LoadedFrame[] }
  /** No more frames of this image will come. */
  | { readonly kind: 'frames-end'; readonly image: number }
  /** The answer to `fetch`. */
  | { readonly kind: 'extra'; readonly image: number; readonly frame: LoadedFrame }
  /** No more entries will come. */
  | { readonly kind: 'end' }
  /** Finish the folders and stop, whatever is still to do. */
  | { readonly kind: 'stop' };

export interface WriterCounts {
  /** Entries that are there now: files, folders, links, devices ... */
  readonly files: number;
  /** Bytes of content written. */
  readonly bytes: number;
  /** Entries that could not be restored. */
  readonly failed: number;
  /** Entries that were left alone because something of that name is there. */
  readonly leftAlone: number;
}

/** What the writer says. */
export type FromWriter =
  | {
      readonly kind: 'report';
      readonly counts: WriterCounts;
      /** Entries that are done with since the last report, restored or not. */
      readonly entriesDone: number;
      /** Frames that are done with since the last report, per image. */
      readonly released: readonly number[];
      readonly notes: readonly RestoreNote[];
    }
  /** Asks for one frame out of order: the data behind a link whose own entry was not restored. */
  | { readonly kind: 'fetch'; readonly image: number; readonly offset: number }
  | {
      readonly kind: 'finished';
      readonly counts: WriterCounts;
      readonly notes: readonly RestoreNote[];
      /** Why the writer gave up (no space, say). */
      readonly gaveUp?: string;
    };
