import { types } from 'node:util';
import { MessageChannel } from 'node:worker_threads';

/** Its other end is closed: what is sent through it is gone. */
const nowhere = (() => {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  port1.unref();
  return port1;
})();

/** Node 22 and later have it; Node 20 with the flag `--harmony-rab-gsab-transfer`. */
const { transfer } = ArrayBuffer.prototype as { transfer?: (bytes: number) => ArrayBuffer };

/**
 * Gives memory back now instead of when the garbage collector comes to it: whoever moves gigabytes through
 * buffers would otherwise have it mark the whole heap for every 64 MiB. All views of the buffer are empty from
 * then on, so it must be the caller's alone. Memory that Node shares among small buffers or that threads share
 * stays as it is; where `transfer` is not there, also what a native library has made.
 */
export function freeBytes({ buffer }: Uint8Array): void {
  if (!types.isArrayBuffer(buffer) || buffer.byteLength <= Buffer.poolSize) return;
  try {
    if (transfer) transfer.call(buffer, 0);
    else nowhere.postMessage(undefined, [buffer]);
  } catch {
    // It may not be given away.
  }
}
