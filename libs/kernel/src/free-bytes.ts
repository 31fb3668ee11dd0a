import { types } from 'node:util';
import { MessageChannel } from 'node:worker_threads';

/** Its other end is closed: what is sent through it is gone. */
const nowhere = (() => {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.unref();
  return port1;
})();

/**
 * Gives memory back now instead of when the garbage collector comes to it: whoever moves gigabytes through
 * buffers would otherwise have it mark the whole heap for every 64 MiB. All views of the buffer are empty from
 * then on, so it must be the caller's alone. Memory that Node shares among small buffers, that threads share
 * or that a native library keeps stays as it is.
 */
export function freeBytes({ buffer }: Uint8Array): void {
  if (!types.isArrayBuffer(buffer)) return;
  try {
    nowhere.postMessage(undefined, [buffer]);
  } catch {
    // It may not be given away.
  }
}
