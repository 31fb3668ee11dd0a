import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { compareTrees } from '../../../../../test/support/compare-trees.js';
import { noise } from '../../../../../test/support/odd-tree-maker.js';
import { makeOddTree, mutateOddTree, removeTree } from '../../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../../test/support/temporary-folder.js';
import { until } from '../../../../../test/support/until.js';

import { FramesHere } from '#archive/frames/frame-maker.js';
import type { NamedChunk } from '#transfer/chunk-messages.js';
import { runBackup, type BackupOptions } from '../run-backup.js';
import { BackupLab, shell } from '../testing/backup-lab.js';
import { ChunkVolume, type ChunkVolumeOptions } from '../testing/chunk-volume.js';
import { SOURCE_READERS } from '../testing/source-threads.js';
import { ChunkSink } from './chunk-sink.js';
import { FragmentChunks } from '#transfer/chunks/fragment-chunks.js';

let folder: string;
let lab: BackupLab;
let volumes = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  lab = new BackupLab(folder);
});
afterAll(() => removeTree(folder));

const newVolume = (options: Partial<ChunkVolumeOptions> = {}) =>
  new ChunkVolume(`${folder}/volume-${++volumes}`, { frameBytes: 65_536, ...options });

const sinkOf = (volume: ChunkVolume) =>
  new ChunkSink(volume, volume.ready.chunks, new FramesHere(1));

function backUp(volume: ChunkVolume, root: string, more: Partial<BackupOptions> = {}) {
  return runBackup({
    selections: [root],
    excludes: [],
    crossMountPoints: false,
    kind: 'full',
    newListingPath: `${volume.folder}/listing`,
    sink: sinkOf(volume),
    frames: new FramesHere(1),
    readers: SOURCE_READERS,
    ...more,
  });
}

/** Another image in a volume that has what this one has. */
function beside(volume: ChunkVolume): ChunkVolume {
  const next = newVolume();
  for (const [id, chunk] of volume.chunksThere) next.chunksThere.set(id, chunk);
  return next;
}

/** Archive bytes behind this place of the entry that lies across it. */
function leftBehind(volume: ChunkVolume, place: number): number {
  for (const { offset, length } of lab.index({ sink: volume })) {
    if (offset < place && place < offset + length) return offset + length - place;
  }
  return 0;
}

function makeTree(root: string): void {
  for (let n = 0; n < 60; n++) {
    mkdirSync(`${root}/folder-${n % 6}`, { recursive: true });
    writeFileSync(`${root}/folder-${n % 6}/file-${n}`, noise((n * 1_771) % 90_000, n));
  }
  writeFileSync(`${root}/large`, noise(9_000_000, 99));
}

describe('a backup to a volume that deduplicates', () => {
  it('is the archive that it is anywhere, in every detail, in several fragments', async () => {
    const tree = await makeOddTree(`${folder}/odd`);
    const isSocket = (path: string) => tree.sockets.includes(path);
    const volume = newVolume({ fragmentBytesMax: 3 * 2 ** 20 });
    const result = await backUp(volume, tree.root);
    expect(result.status).toBe(0);
    expect(volume.seals.length).toBeGreaterThan(2);
    expect(volume.totals).toMatchObject({ fragments: volume.seals.length, files: result.files });
    const restored = lab.restore({ sink: volume }, 'restored', tree.root);
    expect(await compareTrees(tree.root, restored, { ignore: isSocket })).toEqual([]);

    await mutateOddTree(tree);
    const next = beside(volume);
    await backUp(next, tree.root);
    const again = lab.restore({ sink: next }, 'restored-again', tree.root);
    expect(await compareTrees(tree.root, again, { ignore: isSocket })).toEqual([]);
  });

  it('sends what is not there, in frames of about a mebibyte, and asks ahead', async () => {
    const root = `${folder}/plain`;
    makeTree(root);
    const volume: ChunkVolume = newVolume({
      beforeAnswer: async () => {
        // The first answer waits for a second question: it must come without it.
        await until(() => volume.unansweredMost > 1);
      },
    });
    await backUp(volume, root);
    expect(Math.max(...volume.frameSizes)).toBeLessThanOrEqual(2 * 2 ** 20);
    expect(volume.frameSizes.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(11_000_000);

    const same = beside(volume);
    await backUp(same, root);
    expect(same.sentBytes).toBe(0);
    expect(same.names).toEqual(volume.names);

    appendFileSync(`${root}/folder-3/file-9`, 'more');
    renameSync(`${root}/folder-4/file-10`, `${root}/folder-4/file-10.old`);
    rmSync(`${root}/folder-5/file-11`);
    const changed = beside(volume);
    await backUp(changed, root);
    expect(changed.sentBytes).toBeGreaterThan(1_000);
    expect(changed.sentBytes).toBeLessThan(200_000);
  });

  it('asks for no more ids at once than it was told', async () => {
    const volume = newVolume({ idsPerAskMax: 3 });
    await backUp(volume, `${folder}/plain`);
    expect(Math.max(...volume.asked)).toBe(3);
  });

  it('sends the same chunk once, also before it is known to have arrived', async () => {
    const root = `${folder}/twins`;
    mkdirSync(root);
    const content = noise(3_000_000, 5);
    writeFileSync(`${root}/one`, content);
    writeFileSync(`${root}/two`, content);
    const late = () => new Promise<void>((resolve) => setTimeout(resolve, 50));
    const volume = newVolume({ beforeAnswer: late });
    await backUp(volume, root);
    const sent = volume.frameSizes.reduce((sum, one) => sum + one, 0);
    expect(sent).toBeLessThan(3_100_000);
    expect(lab.restore({ sink: volume }, 'twins-restored', root)).not.toBe('');
    expect(readFileSync(`${folder}/twins-restored${root}/two`).equals(content)).toBe(true);
  });

  it('is cut as its fragments are from outside, each one by itself', async () => {
    const volume = newVolume({ fragmentBytesMax: 2_000_000 });
    await backUp(volume, `${folder}/plain`);
    expect(volume.seals.length).toBeGreaterThan(4);
    const names: NamedChunk[] = [];
    let entryLeft: number | undefined = 0;
    for (const { number, archiveOffset, archiveBytes } of volume.seals) {
      const file = `${volume.folder}/${String(number).padStart(5, '0')}.tar.zst`;
      const archive = shell('zstd -dcq "$1"', file);
      const chunks = new FragmentChunks({ archiveOffset: 0, entryLeft });
      // In pieces of another size: that changes nothing.
      for (let at = 0; at < archive.length; at += 10_007) {
        names.push(...chunks.push(archive.subarray(at, at + 10_007)));
      }
      names.push(...chunks.end());
      entryLeft = leftBehind(volume, archiveOffset + archiveBytes);
    }
    expect(volume.names).toEqual(names);
  });

  it('goes on behind a fragment, in the midst of a file, and sends nothing twice', async () => {
    const root = `${folder}/plain`;
    const whole = newVolume({ fragmentBytesMax: 1_000_000 });
    await backUp(whole, root);
    const volume = newVolume({ fragmentBytesMax: 1_000_000 });
    for (;;) {
      const { nextFragment: nextNumber, archiveOffset } = volume.ready;
      const begun = volume.seals.length;
      const seal = volume.seal.bind(volume);
      volume.seal = async (info) => {
        await seal(info);
        if (volume.seals.length === begun + 3) throw new Error('cut off');
      };
      try {
        await backUp(volume, root, { resume: { nextNumber, archiveOffset } });
        break;
      } catch (error) {
        if (!(error instanceof Error) || error.message !== 'cut off') throw error;
        volume.seal = seal;
        volume.goOn();
      }
    }
    const archive = ({ folder: at }: ChunkVolume) => shell('cat "$1"/*.tar.zst | zstd -dcq', at);
    expect(archive(volume).equals(archive(whole))).toBe(true);
    expect(volume.seals.map(({ archiveBytes }) => archiveBytes)).toEqual(
      whole.seals.map(({ archiveBytes }) => archiveBytes),
    );
  });

  it('ends with what the writer says, whatever it is waiting for', async () => {
    const errors = {
      ask: (volume: ChunkVolume) => (volume.ask = () => Promise.reject(new Error('no ask'))),
      chunks: (volume: ChunkVolume) =>
        (volume.chunks = () => Promise.reject(new Error('no chunks'))),
      recipe: (volume: ChunkVolume) =>
        (volume.recipe = () => Promise.reject(new Error('no recipe'))),
      seal: (volume: ChunkVolume) => (volume.seal = () => Promise.reject(new Error('no seal'))),
    };
    for (const [what, spoil] of Object.entries(errors)) {
      const volume = newVolume();
      spoil(volume);
      await expect(backUp(volume, `${folder}/plain`)).rejects.toThrow(`no ${what}`);
      expect(readdirSync(volume.folder).some((name) => name.endsWith('.tar.zst'))).toBe(false);
      expect(existsSync(`${volume.folder}/listing`)).toBe(false);
    }
  });

  it('can be stopped while nothing is answered', async () => {
    const never = () => new Promise<void>(() => undefined);
    const volume = newVolume({ beforeAnswer: never });
    const abort = new AbortController();
    const running = backUp(volume, `${folder}/plain`, { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('stopped')), 100);
    await expect(running).rejects.toThrow('stopped');
  });
});
