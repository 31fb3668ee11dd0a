import { toPathText } from '#archive/path-text.js';
import type { BesideThread } from '../beside/beside-thread.js';
import { reasonOf } from './not-restored.js';
import { RestoreWriter } from './restore-writer.js';
import type { FromWriter, WriterOptions } from './writer-messages.js';

/** A writer, or undefined when the destination cannot be used: then `finished` has been posted. */
export function openWriter(
  options: WriterOptions,
  post: (message: FromWriter) => void,
  beside?: (onDone: () => void) => BesideThread,
): RestoreWriter | undefined {
  try {
    return new RestoreWriter(options, post, beside);
  } catch (error) {
    const counts = { files: 0, bytes: 0, failed: 0, leftAlone: 0 };
    const gaveUp = `the destination ${toPathText(options.destination)} cannot be used (${reasonOf(error)})`;
    post({ kind: 'finished', counts, notes: [], gaveUp });
    return undefined;
  }
}
