/** Memory for some files, which two threads see. */
export interface BatchMemory {
  /** Whether the batch is done, and behind that a number for each file: what was done with it. */
  readonly control: SharedArrayBuffer;
  readonly content: SharedArrayBuffer;
}

export function makeBatchMemory(filesMax: number, bytesMax: number): BatchMemory {
  return {
    control: new SharedArrayBuffer((1 + filesMax) * Int32Array.BYTES_PER_ELEMENT),
    content: new SharedArrayBuffer(bytesMax),
  };
}
