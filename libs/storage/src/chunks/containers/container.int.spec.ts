import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidInput } from '#kernel/errors.js';
import { ContainerDamaged, VolumeFull } from '../../errors.js';
import { SpaceGate } from '../../space-gate.js';
import { archiveOf, chunkOf, frameOf } from '../../testing/chunks.js';
import { openFiles, testFolder, type TestFolder } from '../../testing/small-volume.js';
import { ContainerFiles } from './container-files.js';
import { ContainerReader } from './container-reader.js';
import { checkFrame, ContainerWriter } from './container-writer.js';

const FRAMES = [[1, 2, 3], [4], [5, 6]];

describe('A container', () => {
  let folder: TestFolder;
  let files: ContainerFiles;
  beforeEach(() => {
    folder = testFolder();
    files = new ContainerFiles(folder.path);
  });
  afterEach(() => folder.dispose());

  const gate = new SpaceGate('here', async () => 1e9, 0);
  const head = () => ({ id: files.newId(), domain: 'web1' });
  const write = async () => {
    const writer = await ContainerWriter.create(files, head(), gate);
    for (const seeds of FRAMES) await writer.append(await frameOf(seeds));
    await writer.close();
    return writer;
  };
  const ids = async (from: AsyncIterable<string>) => {
    const found: string[] = [];
    for await (const id of from) found.push(id);
    return found;
  };
  const readAll = async (id: string) => {
    const reader = await ContainerReader.open(files, id);
    if (!reader) return undefined;
    try {
      const chunks: Buffer[] = [];
      for (let frame = 0; frame < reader.table.frames; frame += 1) {
        const bytes = await reader.readFrame(frame);
        const [first, end] = reader.table.ordinalsOf(frame);
        for (let at = first; at < end; at += 1) chunks.push(reader.slice(at, bytes));
      }
      return { domain: reader.domain, ids: reader.table.ids(), chunks };
    } finally {
      await reader.close();
    }
  };

  const readStoredFrames = async (id: string) => {
    const reader = await ContainerReader.open(files, id);
    try {
      for (let frame = 0; frame < reader!.table.frames; frame += 1) await reader!.readStored(frame);
    } finally {
      await reader!.close();
    }
  };

  it('that cannot be begun keeps no file open', async () => {
    const full = new SpaceGate('here', async () => 10, 0);
    await expect(ContainerWriter.create(files, head(), full)).rejects.toBeInstanceOf(VolumeFull);
    expect(await ids(files.unclosed())).toHaveLength(1);
    expect(openFiles(folder.path)).toEqual([]);
  });

  it('gives back its chunks, by itself', async () => {
    const { id } = await write();
    const read = await readAll(id);
    const chunks = FRAMES.flat().map(chunkOf);
    expect(read!.domain).toBe('web1');
    expect(read!.ids).toEqual(chunks.map((chunk) => chunk.id));
    expect(read!.chunks).toEqual(chunks.map(({ bytes }) => bytes));
    expect(await ids(files.closed())).toEqual([id]);
    expect(await readAll('0123456789abcdef')).toBeUndefined();
  });

  it('is a stream that zstd decompresses to its chunks, one behind the other', async () => {
    const { id } = await write();
    const bytes = execFileSync('zstd', ['-dcq', files.path(id)]);
    expect(bytes.equals(archiveOf(FRAMES.flat()))).toBe(true);
  });

  it('that is not closed is no container, wherever its writing ended', async () => {
    const writer = await ContainerWriter.create(files, head(), gate);
    await writer.append(await frameOf([1, 2]));
    await writer.abandon();
    expect(await ids(files.closed())).toEqual([]);
    expect(await ids(files.unclosed())).toEqual([writer.id]);
    expect(await readAll(writer.id)).toBeUndefined();
  });

  it('that is cut off anywhere is damaged', async () => {
    const { id } = await write();
    const whole = readFileSync(files.path(id));
    for (let length = whole.length - 1; length >= 0; length -= 1 + (length % 7)) {
      truncateSync(files.path(id), length);
      await expect(readAll(id)).rejects.toBeInstanceOf(ContainerDamaged);
    }
  });

  it('is never misread, whatever bit is flipped', async () => {
    const { id } = await write();
    const whole = readFileSync(files.path(id));
    const right = await readAll(id);
    let damaged = 0;
    for (let at = 0; at < whole.length; at += 1) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << (at % 8);
      writeFileSync(files.path(id), flipped);
      const read = await readAll(id).catch((error: unknown) => error);
      // A bit that Zstandard does not look at changes no chunk; whoever takes frames whole finds it.
      if (!(read instanceof ContainerDamaged)) expect(read).toEqual(right);
      else damaged += 1;
      await expect(readStoredFrames(id)).rejects.toBeInstanceOf(ContainerDamaged);
    }
    expect(damaged).toBeGreaterThan(whole.length * 0.9);
  });

  it('is damaged when a chunk is not what its id says', async () => {
    const writer = await ContainerWriter.create(files, head(), gate);
    const { stored } = await frameOf([1]);
    await writer.append({ stored, chunks: [{ ...chunkOf(1), id: chunkOf(2).id }] });
    const { bytes } = chunkOf(4);
    await writer.append({ ...(await frameOf([3])), chunks: [{ ...chunkOf(3), length: 9 }] });
    expect(bytes.length).not.toBe(9);
    await writer.close();
    await expect(readAll(writer.id)).rejects.toThrow(/chunk 0 is not what its id says/);
    const reader = await ContainerReader.open(files, writer.id);
    await expect(reader!.readFrame(1)).rejects.toThrow(
      /frame 1 is no frame of its chunks|frame 1 holds other bytes/,
    );
    await reader!.close();
  });

  it('says VolumeFull and leaves no name behind that counts', async () => {
    const full = new SpaceGate('here', async () => 100, 0);
    const writer = await ContainerWriter.create(files, head(), full);
    const { stored } = await frameOf([1]);
    const frame = { stored: Buffer.concat([stored, Buffer.alloc(200)]), chunks: [chunkOf(1)] };
    await expect(writer.append(frame)).rejects.toBeInstanceOf(VolumeFull);
    await expect(writer.close()).rejects.toThrow();
    await writer.abandon();
    expect(await ids(files.closed())).toEqual([]);
  });

  it('refuses frames that it could not give back', async () => {
    const frame = await frameOf([1, 2]);
    checkFrame(frame);
    const refuses = (over: Partial<typeof frame>) =>
      expect(() => checkFrame({ ...frame, ...over })).toThrow(InvalidInput);
    refuses({ chunks: [] });
    refuses({ stored: Buffer.alloc(0) });
    refuses({ stored: Buffer.alloc(5 * 1024 * 1024) });
    refuses({ chunks: [{ id: Buffer.alloc(31), length: 1 }] });
    refuses({ chunks: [{ id: Buffer.alloc(32), length: 0 }] });
    refuses({ chunks: Array.from({ length: 3 }, () => ({ ...chunkOf(1), length: 2_000_000 })) });
  });
});
