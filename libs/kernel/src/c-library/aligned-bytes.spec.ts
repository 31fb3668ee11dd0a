import { describe, expect, it } from '@jest/globals';
import { alignedBytes, BLOCK_BYTES } from './aligned-bytes.js';
import { cFunction } from './c-function.js';

const address = cFunction<(into: Buffer, from: Buffer, bytes: number) => number | bigint>(
  'uintptr_t memmove(void *into, const void *from, size_t bytes)',
);

describe('aligned memory', () => {
  it('begins with a block, and is as long as was asked for', () => {
    for (const bytes of [1, BLOCK_BYTES, 1024 * 1024, 1024 * 1024 + 1]) {
      const memory = alignedBytes(bytes);
      // Undefined with another C library: then nobody can say.
      expect(memory?.length).toBe(address && bytes);
      if (memory) expect(BigInt(address!(memory, memory, 0)) % BigInt(BLOCK_BYTES)).toBe(0n);
    }
  });
});

describe('a function of the C library', () => {
  it('is none where there is none of that name', () => {
    expect(cFunction('int holdfast_has_no_such_function()')).toBeUndefined();
  });
});
