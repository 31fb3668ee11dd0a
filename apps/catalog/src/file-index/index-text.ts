import { isUtf8 } from 'node:buffer';
import { decompress } from '#archive/frames/zstd.js';
import { Blake3Hasher } from '@napi-rs/blake-hash';
import { IndexFrames } from '#archive/frames/index-frames.js';
import { messageOf } from '#kernel/errors.js';
import { CorruptIndex } from '../domain/files/corrupt-index.js';

/**
 * The text of an index object, frame by frame: whole lines each. One frame is decompressed ahead
 * while the last one is worked on. After the last frame size and digest are checked; whoever has
 * used the text by then must undo it when this throws.
 * @throws CorruptIndex
 */
export async function* indexTexts(
  stored: AsyncIterable<Buffer>,
  expected: { readonly indexBytes: number; readonly indexDigest: string },
): AsyncGenerator<string> {
  const hasher = new Blake3Hasher();
  const splitter = new IndexFrames();
  let bytes = 0;
  let ahead: Promise<string> | undefined;
  for await (const chunk of stored) {
    bytes += chunk.length;
    hasher.update(chunk);
    for (const frame of corrupt(() => [...splitter.push(chunk)])) {
      const next = textOf(frame);
      // Awaited below; until then its failure is nobody's.
      next.catch(() => undefined);
      if (ahead) yield await ahead;
      ahead = next;
    }
  }
  if (ahead) yield await ahead;
  corrupt(() => splitter.end());
  if (bytes !== expected.indexBytes) {
    throw new CorruptIndex(`it has ${bytes} bytes instead of ${expected.indexBytes}`);
  }
  if (hasher.digest('hex') !== expected.indexDigest) {
    throw new CorruptIndex('its digest is not the one that was committed');
  }
}

function corrupt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new CorruptIndex(messageOf(error), { cause: error });
  }
}

async function textOf(frame: Buffer): Promise<string> {
  let text: Buffer;
  try {
    text = await decompress(frame);
  } catch (error) {
    throw new CorruptIndex(messageOf(error), { cause: error });
  }
  if (!isUtf8(text)) throw new CorruptIndex('a line is not valid UTF-8');
  if (text.length > 0 && text[text.length - 1] !== 0x0a) {
    throw new CorruptIndex('a frame ends in the middle of a line');
  }
  return text.toString('utf8');
}
