import { describe, expect, it } from '@jest/globals';
import { rawFrame } from '#archive/frames/raw-frame.js';
import { compress } from '#archive/frames/zstd.js';
import { unpackAll } from './unpack.js';

const MIB = 2 ** 20;

/** The frame's piece of the archive, with memory of its own as a loaded one has. */
async function unpacked(stored: Buffer, archiveBytes: number) {
  const own = new Uint8Array(stored);
  const [frame] = unpackAll([{ archiveOffset: 0, archiveBytes, name: 'frame 1', stored: own }]);
  return frame!;
}

describe('A frame of an archive', () => {
  const text = Buffer.from('holdfast '.repeat(1_000));

  it('is unpacked, however it was packed', async () => {
    for (const stored of [await compress(text, 3), rawFrame(text)]) {
      const { bytes, damage } = await unpacked(stored, text.length);
      expect(damage).toBeUndefined();
      expect(Buffer.from(bytes!).equals(text)).toBe(true);
    }
  });

  it('is damaged where it states another size than its table, and is not unpacked for that', async () => {
    const bomb = await compress(Buffer.alloc(64 * MIB), 3);
    expect(bomb.length).toBeLessThan(16 * 1_024);
    const { bytes, damage } = await unpacked(bomb, MIB);
    expect(bytes).toBeUndefined();
    expect(damage).toBe(`frame 1 is damaged: it is no frame of ${MIB} bytes`);
  });

  it('is damaged where it comes to another size and states none', async () => {
    // A window in place of a size, and one last block of a byte that is repeated.
    const block = Buffer.alloc(4);
    block.writeUIntLE((100 << 3) | (1 << 1) | 1, 0, 3);
    const stored = Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), block]);
    expect((await unpacked(stored, 100)).bytes).toHaveLength(100);
    expect((await unpacked(stored, 99)).damage).toContain('it holds 100 bytes, not 99');
  });
});
