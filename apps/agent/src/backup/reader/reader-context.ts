import { getSystemErrorMap } from 'node:util';

import { toPathText, type ByteString } from '#archive/path-text.js';
import type { Clock } from '#kernel/clock.js';
import { codeOf, messageOf } from '#kernel/errors.js';

import { NOTES_MAX, Notes } from '../../domain/notes.js';

import type { ReaderMessage } from '../reader-messages.js';
import type { ReaderState } from '../reader-state.js';

const PROGRESS_INTERVAL_MS = 500;
const ENTRIES_BETWEEN_LOOKS_AT_THE_CLOCK = 64;

/** What the parts of the reading thread share: counters, notes and the way to the other side. */
export class ReaderContext {
  files: number;
  bytes: number;
  /** See `ReaderTotals`. */
  work = 0;
  /** Milliseconds since 1970; a little behind, never ahead. */
  nowMs: number;

  readonly notes: Notes;
  #sinceLook = 0;
  #progressAt: number;

  constructor(
    private readonly clock: Clock,
    readonly post: (message: ReaderMessage) => void,
    goOn?: Pick<ReaderState, 'files' | 'bytes' | 'notes'>,
  ) {
    this.files = goOn?.files ?? 0;
    this.bytes = goOn?.bytes ?? 0;
    this.notes = new Notes(NOTES_MAX, goOn?.notes);
    this.nowMs = clock.now().getTime();
    this.#progressAt = this.nowMs;
  }

  /** Sparse files take no room, and can come to more than a message may say: from there on the sum stands. */
  addBytes(bytes: number): void {
    this.bytes = Math.min(this.bytes + bytes, Number.MAX_SAFE_INTEGER);
  }

  /** Of the whole backup. */
  say(text: string): void {
    this.#note('info', text);
  }

  info(path: ByteString, what: string): void {
    this.#note('info', `${toPathText(path)}: ${what}`);
  }

  /** Something is not, or not faithfully, in the image: the job becomes partial. */
  warn(path: ByteString, what: string): void {
    this.#note('warning', `${toPathText(path)}: ${what}`);
  }

  warnOfError(path: ByteString, what: string, error: unknown): void {
    this.warn(path, `${what}: ${reasonOf(error)}`);
  }

  /** To be called for each entry, and now and then within large ones. */
  tick(path: ByteString, weight = 1): void {
    this.work += weight;
    this.#sinceLook += weight;
    if (this.#sinceLook < ENTRIES_BETWEEN_LOOKS_AT_THE_CLOCK) return;
    this.#sinceLook = 0;
    this.nowMs = this.clock.now().getTime();
    if (this.nowMs - this.#progressAt < PROGRESS_INTERVAL_MS) return;
    this.#progressAt = this.nowMs;
    const { files, bytes } = this;
    this.post({ type: 'progress', files, bytes, path: toPathText(path) });
  }

  #note(level: 'info' | 'warning', text: string): void {
    const note = { level, text };
    if (this.notes.add(note)) this.post({ type: 'note', note });
  }
}

/** The system's own words with its code, without path and call. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error);
  if (code === undefined) return messageOf(error);
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : Number.NaN;
  const text = getSystemErrorMap().get(errno)?.[1];
  return text === undefined ? code : `${text} (${code})`;
}

/** True if the error says that there is nothing of that name (any more). */
export function isGone(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
