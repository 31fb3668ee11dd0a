import { describe, expect, it } from '@jest/globals';
import { freeBytes } from './free-bytes.js';

describe('memory that is given back', () => {
  it('is gone at once', async () => {
    // The port's other end closes a moment after it was told to.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 100; n += 1) {
      const bytes = Buffer.allocUnsafeSlow(2 ** 20);
      freeBytes(bytes.subarray(10, 20));
      expect(bytes).toHaveLength(0);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 2 ** 20);
  });

  it('is not what others have a share in', () => {
    const pooled = Buffer.from('of a pool');
    const shared = Buffer.from(new SharedArrayBuffer(4));
    for (const bytes of [pooled, shared]) freeBytes(bytes);
    expect(pooled.toString()).toBe('of a pool');
    expect(shared).toHaveLength(4);
  });
});
