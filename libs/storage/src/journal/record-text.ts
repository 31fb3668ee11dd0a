import { messageOf } from '#kernel/errors.js';
import { VolumeUnusable } from '../errors.js';

/** The most that one record may take as JSON, with the end of its line. */
export const RECORD_BYTES_MAX = 64 * 1024;

/** Turns what JSON gave into a record; throws if it is none (of a newer release, say). */
export type ParseRecord<R> = (value: unknown) => R;

/** One record as JSON, without the end of its line. */
export interface RecordLine {
  readonly text: string;
  readonly bytes: number;
}

/** Throws `RangeError` where it is too long. */
export function recordLine(record: unknown): RecordLine {
  const text = JSON.stringify(record);
  const bytes = Buffer.byteLength(text);
  if (bytes >= RECORD_BYTES_MAX) {
    throw new RangeError(`A journal record of ${bytes} bytes is too long.`);
  }
  return { text, bytes };
}

/** The records of a unit. `file` is for the text of the error. */
export function* recordsOf<R>(payload: Buffer, file: string, parse: ParseRecord<R>): Iterable<R> {
  for (const line of payload.toString('utf8').split('\n')) {
    if (line === '') continue;
    try {
      yield parse(JSON.parse(line));
    } catch (error) {
      throw new VolumeUnusable(file, `a journal record is not understood: ${messageOf(error)}`);
    }
  }
}
