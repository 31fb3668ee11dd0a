import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compress } from '#archive/frames/zstd.js';
import { blake3 } from '@napi-rs/blake-hash';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { FragmentName } from '../fragment-name.js';
import { framedManifest, grantOf, tombstoneOf } from '../testing/chunks.js';
import { fragmentName } from '../testing/fragments.js';
import { testFolder, type TestFolder } from '../testing/small-volume.js';
import { ChunkStore } from './chunk-store.js';

const SCRIPT = fileURLToPath(new URL('../../../../docs/read-chunks.sh', import.meta.url));

const FRAME_BYTES = 65_536;

describe('The script that uses nothing of ours', () => {
  let folder: TestFolder;
  let store: ChunkStore;
  beforeEach(async () => {
    folder = testFolder();
    store = await ChunkStore.open({ folder: folder.path, reserveBytes: 0 });
  });
  afterEach(async () => {
    await store.close();
    folder.dispose();
  });

  /** A tar of files of all sizes, some of them twice. */
  const makeTar = (): Buffer => {
    const files = join(folder.path, 'files');
    mkdirSync(files);
    for (let file = 0; file < 40; file += 1) {
      const text = `${file % 30} holdfast `.repeat(1 + (file % 30) * 300);
      writeFileSync(join(files, `file-${file}`), text);
    }
    return execFileSync('tar', ['-C', folder.path, '-cf', '-', 'files'], { maxBuffer: 1e8 });
  };

  /** Cuts bytes every so often, sends what is not there, some chunks to a frame, and seals. */
  const write = async (name: FragmentName, archive: Buffer) => {
    const session = store.session('web1');
    const chunks: { id: Buffer; length: number; bytes: Buffer }[] = [];
    for (let at = 0; at < archive.length; at += 3_072) {
      const bytes = archive.subarray(at, at + 3_072);
      chunks.push({ id: blake3(bytes), length: bytes.length, bytes });
    }
    for (let at = 0; at < chunks.length; at += 7) {
      const some = chunks.slice(at, at + 7);
      const there = await session.ask(some.map(({ id }) => id));
      const missing = some.filter((_, nth) => !there[nth]);
      if (missing.length === 0) continue;
      const stored = await compress(Buffer.concat(missing.map(({ bytes }) => bytes)), 3);
      await session.add({ stored, chunks: missing });
    }
    const writer = await session.begin(name, FRAME_BYTES);
    await writer.add(chunks);
    const index = Buffer.from('index');
    await writer.writeIndex([index]);
    await writer.seal(framedManifest(name, archive, { frameBytes: FRAME_BYTES, index }));
    await session.end();
  };

  const read = (copy = 1) =>
    execFileSync('sh', [SCRIPT, folder.path, 'web1_1790000000', String(copy)], {
      env: { PATH: '/usr/bin:/bin' },
      maxBuffer: 1e8,
      stdio: ['ignore', 'pipe', 'pipe'],
    });

  it('puts the archive of an image together, of several fragments, before and after a collection', async () => {
    const tar = makeTar();
    const half = 3_072 * 50;
    await write(fragmentName(9, { imageId: 'web1_1780000000', number: 1 }), tar.subarray(5_000));
    await write(fragmentName(1), tar.subarray(0, half));
    await write(fragmentName(2), tar.subarray(half));
    expect(read().equals(tar)).toBe(true);
    const old = fragmentName(9, { imageId: 'web1_1780000000', number: 1 });
    await store.remove(grantOf(old), old);
    await store.emptyTrash(tombstoneOf(old));
    expect((await store.collect({ deadShareMin: 0 })).gone).toBeGreaterThan(0);
    const archive = read();
    expect(archive.equals(tar)).toBe(true);
    const files = join(folder.path, 'files');
    const before = join(folder.path, 'before');
    cpSync(files, before, { recursive: true });
    rmSync(files, { recursive: true });
    execFileSync('tar', ['-C', folder.path, '-xf', '-'], { input: archive });
    const file = 'file-29';
    expect(readFileSync(join(files, file)).equals(readFileSync(join(before, file)))).toBe(true);
    execFileSync('diff', ['-r', files, before]);
  });

  it('says so when a chunk is missing, or two fragments bear one number', async () => {
    const tar = makeTar();
    await write(fragmentName(1), tar);
    await write(fragmentName(2, { number: 1 }), tar);
    expect(() => read()).toThrow(/two fragments bear number 00001/);
    await write(fragmentName(3, { copy: 2 }), tar);
    const chunks = join(folder.path, 'chunks');
    execFileSync('sh', ['-c', `mv ${chunks}/??/*.chunks ${folder.path}/`]);
    execFileSync('sh', ['-c', `mkdir -p ${chunks}/00 && cp ${folder.path}/*.chunks ${chunks}/00/`]);
    expect(read(2).equals(tar)).toBe(true);
    execFileSync('sh', ['-c', `rm ${chunks}/00/*.chunks; : > ${chunks}/00/x.chunks`]);
    expect(() => read(2)).toThrow(/is not in the volume/);
  });
});
