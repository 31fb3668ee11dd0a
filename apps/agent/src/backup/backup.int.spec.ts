import { randomFillSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { compareArchivePaths } from '#archive/archive-order.js';
import { fromPathText } from '#archive/path-text.js';
import { PaxReader } from '#archive/pax-reader.js';
import { FramesHere, type MadeFrame } from '#archive/frames/frame-maker.js';
import { seekTableBytesFromFooter } from '#archive/frames/seek-table.js';

import { compareTrees, type Difference } from '../../../../test/support/compare-trees.js';
import {
  makeOddTree,
  mutateOddTree,
  removeTree,
  type OddTree,
} from '../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';

import { SOURCE_READERS } from './testing/source-threads.js';
import { BackupLab, shell, type LabImage } from './testing/backup-lab.js';

/** Takes longer for a frame than a small backup takes where nothing else is at work. */
class SlowFrames extends FramesHere {
  override async make(...frame: Parameters<FramesHere['make']>): Promise<MadeFrame> {
    await sleep(1_100);
    return super.make(...frame);
  }
}

let folder: string;
let lab: BackupLab;

beforeAll(async () => {
  folder = await temporaryFolder();
  lab = new BackupLab(folder);
});
afterAll(() => removeTree(folder));

describe('the thread that reads', () => {
  const reader = async (files: number, frames = new FramesHere(1)) => {
    const tree = `${folder}/read-${files}`;
    mkdirSync(tree, { recursive: true });
    for (let n = 0; n < files; n += 1) writeFileSync(`${tree}/${n}`, '');
    await lab.backUp([tree], { frames });
    return SOURCE_READERS.taken.at(-1);
  };

  it('reads the next backup, too, if it had little to do, however long that took', async () => {
    const first = await reader(1, new SlowFrames(1));
    expect(await reader(2)).toBe(first);
  });

  it('is not kept when it had much to do', async () => {
    const first = await reader(2_100);
    expect(await reader(3)).not.toBe(first);
  });
});

describe('a tree of odd files', () => {
  let tree: OddTree;
  let full: LabImage;
  const isSocket = (path: string) => tree.sockets.includes(path);

  beforeAll(async () => {
    tree = await makeOddTree(`${folder}/odd`);
    full = await lab.backUp([tree.root], { fragmentBytesMax: 3 * 2 ** 20 });
  });

  it('comes back in every detail from zstd and GNU tar', async () => {
    expect(full.notes.filter(({ level }) => level === 'warning')).toEqual([]);
    expect(full.result.status).toBe(0);
    const restored = lab.restore(full, 'restored', tree.root);
    expect(await compareTrees(tree.root, restored, { ignore: isSocket })).toEqual([]);
  });

  it('reports sockets without making the job partial', () => {
    const texts = full.notes.map(({ text }) => text);
    for (const socket of tree.sockets) {
      expect(texts).toContainEqual(expect.stringMatching(`${socket}: is a socket`));
    }
  });

  it('is cut into fragments within their limit, each with seek table and whole frames', () => {
    const { seals } = full.sink;
    expect(seals.length).toBeGreaterThan(2);
    let offset = 0;
    for (const seal of seals) {
      const base = `${full.sink.folder}/${String(seal.number).padStart(5, '0')}`;
      const data = readFileSync(`${base}.tar.zst`);
      expect(data.length).toBeLessThanOrEqual(3 * 2 ** 20);
      expect(seekTableBytesFromFooter(data)).toBe(8 + 8 * seal.frames + 9);
      expect(seal.archiveOffset).toBe(offset);
      offset += seal.archiveBytes;
      const lines = shell('zstd -dcq "$1"', `${base}.idx.zst`).toString('latin1').split('\n');
      const places = lines.slice(0, -1).map((line) => {
        const columns = line.split('\t');
        return Number(columns[0] === 'h' ? columns[10]!.split(' ')[0] : columns[7]);
      });
      expect(places.every((at) => at >= seal.archiveOffset && at < offset)).toBe(true);
      expect(seal.last).toBe(seal.number === seals.length);
    }
    expect(lab.archive(full).length).toBe(offset);
  });

  it('has an index in archive order that leads to each entry', () => {
    const archive = lab.archive(full);
    const lines = lab.index(full);
    expect(lines.length).toBe(full.result.files);
    for (const [at, line] of lines.entries()) {
      if (at > 0) expect(compareArchivePaths(lines[at - 1]!.path, line.path)).toBeLessThan(0);
      const reader = new PaxReader(line.own.offset);
      const bytes = archive.subarray(line.own.offset, line.own.offset + line.own.length);
      const events = [...reader.push(bytes)];
      expect(events[0]).toMatchObject({
        kind: 'entry',
        entry: { type: line.type, path: line.path, mode: line.mode, linkTarget: line.target },
      });
      expect(events.at(-1)).toEqual({
        kind: 'done',
        archiveEnd: line.own.offset + line.own.length,
      });
    }
  });

  it('stores nothing but the end of the archive when nothing changed', async () => {
    const again = await lab.backUp([tree.root], { base: full });
    expect(again.result).toMatchObject({ status: 0, kind: 'differential', files: 0, fragments: 1 });
    expect(lab.archive(again)).toEqual(Buffer.alloc(1024));
    expect(readFileSync(again.listing, 'latin1')).toBe(readFileSync(full.listing, 'latin1'));
  });

  it('is followed by an incremental through every kind of change', async () => {
    mutateOddTree(tree);
    const next = await lab.backUp([tree.root], { base: full, fragmentBytesMax: 3 * 2 ** 20 });
    expect(next.result.status).toBe(0);
    expect(next.result.files).toBeLessThan(full.result.files / 10);
    const restored = lab.restore(next, 'restored', tree.root);
    const lines = lab.index(next);
    const stored = new Set(lines.map(({ path }) => path));
    const differences = await compareTrees(tree.root, restored, { ignore: isSocket });
    // tar replaces files in folders that have not changed, and leaves those folders' times at that.
    const ofTar = ({ what, path }: Difference) =>
      what === 'mtime' && !stored.has(`${tree.root}/${path}`.slice(1));
    expect(differences.filter((difference) => !ofTar(difference))).toEqual([]);
    expect(lines.filter(({ type }) => type === 'x').length).toBeGreaterThanOrEqual(1_000);
    for (let at = 1; at < lines.length; at++) {
      expect(compareArchivePaths(lines[at - 1]!.path, lines[at]!.path)).toBeLessThan(0);
    }
  });
});

describe('sparse files that take no room', () => {
  it('are stored, however large they are together: their sum stands at what a message may say', async () => {
    mkdirSync(`${folder}/sparse`);
    // 16 TiB less a block: no file of ext4 is larger.
    shell('cd "$1"; for n in {1..520}; do truncate -s 17592186040320 $n; done', `${folder}/sparse`);
    const progress: number[] = [];
    const image = await lab.backUp([`${folder}/sparse`], {
      onProgress: ({ bytes }) => progress.push(bytes),
    });
    expect(image.result).toMatchObject({ status: 0, files: 521, bytes: Number.MAX_SAFE_INTEGER });
    expect(image.sink.totals?.bytes).toBe(Number.MAX_SAFE_INTEGER);
    expect(progress.every(Number.isSafeInteger)).toBe(true);
  });

  it('are left out where a size is more than can be said', async () => {
    const memory = mkdtempSync('/dev/shm/holdfast-test-');
    try {
      shell('cd "$1"; truncate -s 9223372036854775807 a; echo b >b', memory);
      const image = await lab.backUp([memory]);
      expect(image.result.status).toBe(1);
      expect(image.notes).toEqual([
        {
          level: 'warning',
          text: `${memory}/a: is too large (2^53 bytes or more) and is not in the image`,
        },
      ]);
      expect(lab.index(image).map(({ path }) => `/${path}`)).toEqual([memory, `${memory}/b`]);
    } finally {
      rmSync(memory, { recursive: true });
    }
  });
});

describe('a file larger than many fragments', () => {
  it('comes back whole and has one line, in the fragment where it begins', async () => {
    mkdirSync(`${folder}/huge`);
    writeFileSync(`${folder}/huge/a`, randomFillSync(Buffer.alloc(3_000_001)));
    writeFileSync(`${folder}/huge/b`, 'next');
    const image = await lab.backUp([`${folder}/huge`], {
      fragmentBytesMax: 300_000,
      ring: { buffers: 3, bufferBytes: 60_000 },
    });
    expect(image.sink.seals.length).toBeGreaterThan(9);
    const first = shell('zstd -dcq "$1"/00001.idx.zst', image.sink.folder).toString();
    expect(first.split('\n').map((line) => line.slice(0, 1))).toEqual(['d', 'f', '']);
    expect(lab.index(image).map(({ type }) => type)).toEqual(['d', 'f', 'f']);
    const restored = lab.restore(image, 'huge-restored', `${folder}/huge`);
    expect(await compareTrees(`${folder}/huge`, restored)).toEqual([]);
  });
});

describe('other file systems', () => {
  it('are listed and not entered, but for those that are selected', async () => {
    const image = await lab.backUp(['/dev', '/proc/self/status'], { excludes: ['/dev/shm/**'] });
    const lines = lab.index(image);
    const mounts = readFileSync('/proc/self/mounts', 'latin1')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((mount) => /^\/dev\/[a-z]+$/.test(mount));
    for (const mount of mounts) {
      expect(lines.some(({ path }) => path.startsWith(`${mount.slice(1)}/`))).toBe(false);
    }
    const status = lines.find(({ path }) => path === 'proc/self/status')!;
    expect(status.size).toBeGreaterThan(0);
    expect(image.result.status).toBe(0);
  });
});

describe('an incremental', () => {
  it('names deleted files in the form of their paths', async () => {
    const name = fromPathText('odd\\xff\\x0aname');
    mkdirSync(`${folder}/gone`);
    writeFileSync(Buffer.from(`${folder}/gone/${name}`, 'latin1'), 'x');
    const full = await lab.backUp([`${folder}/gone`]);
    rmSync(Buffer.from(`${folder}/gone/${name}`, 'latin1'));
    const next = await lab.backUp([`${folder}/gone`], { base: full });
    expect(lab.index(next).map(({ type, path }) => [type, path])).toEqual([
      ['d', `${folder}/gone`.slice(1)],
      ['x', `${folder}/gone/${name}`.slice(1)],
    ]);
  });

  it('does not call deleted what an error hides', async () => {
    // A folder whose path is too long: even root is not led into it.
    const levels = Array.from({ length: 16 }, () => 'l'.repeat(250));
    shell(
      'cd "$1"; for l in $2; do mkdir "$l"; cd "$l"; done; touch near; mkdir "$3"; touch "$3/in"',
      folder,
      levels.join(' '),
      'n'.repeat(250),
    );
    const root = `${folder}/${levels[0]}`;
    const full = await lab.backUp([root]);
    expect(full.result.status).toBe(1);
    expect(full.notes).toEqual([
      { level: 'warning', text: expect.stringMatching(/n: cannot be read; .*ENAMETOOLONG/) },
    ]);
    const lines = readFileSync(full.listing, 'latin1').split('\n');
    const near = lines.find((line) => line.includes('/near\t'))!;
    const hidden = near.replace('/near\t', `/${'n'.repeat(250)}/in\t`);
    writeFileSync(full.listing, [...lines.slice(0, -1), hidden, ''].join('\n'), 'latin1');
    const next = await lab.backUp([root], { base: full });
    expect(lab.index(next)).toEqual([]);
    expect(readFileSync(next.listing, 'latin1')).toContain(hidden);
  });

  it('becomes a full without the listing of its base', async () => {
    const image = await lab.backUp([`${folder}/huge`], {
      kind: 'cumulative',
      baseListingPath: `${folder}/none`,
    });
    expect(image.result.kind).toBe('full');
    expect(image.sink.totals?.kind).toBe('full');
    expect(image.notes).toEqual([{ level: 'info', text: expect.stringContaining('listing') }]);
  });

  it('says so where a file holds more than its size, and stores as much as it can', async () => {
    const image = await lab.backUp(['/proc/kallsyms']);
    expect(image.result.status).toBe(1);
    expect(image.notes).toEqual([
      { level: 'warning', text: expect.stringMatching(/holds more than the 0 bytes of its size/) },
    ]);
    expect(lab.index(image)).toMatchObject([{ type: 'f', size: 128 * 1024, flags: 'm' }]);
  });

  it('drops a listing that is damaged, so that the next one becomes a full', async () => {
    const path = `${folder}/damaged`;
    writeFileSync(path, 'f\tz\t1\nf\ta\t2\n');
    const attempt = lab.backUp([`${folder}/huge`], {
      kind: 'differential',
      baseListingPath: path,
    });
    await expect(attempt).rejects.toThrow(/out of order/);
    expect(existsSync(path)).toBe(false);
  });

  it('lists any number of deleted files in bounded memory', async () => {
    const names = Array.from({ length: 10_000 }, (_, at) => `${'n'.repeat(200)}-${at}`);
    mkdirSync(`${folder}/wide`);
    for (const name of names) writeFileSync(`${folder}/wide/${name}`, '');
    const full = await lab.backUp([`${folder}/wide`]);
    for (const name of names) rmSync(`${folder}/wide/${name}`);
    const next = await lab.backUp([`${folder}/wide`], { base: full });
    const lines = lab.index(next);
    expect(lines.length).toBe(names.length + 1);
    expect(lines.slice(1).every(({ type }) => type === 'x')).toBe(true);
  });
});
