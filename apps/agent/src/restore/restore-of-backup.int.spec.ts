import { spawnSync } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';

import { compareTrees, type Difference } from '../../../../test/support/compare-trees.js';
import { noise } from '../../../../test/support/odd-tree-maker.js';
import {
  makeOddTree,
  mutateOddTree,
  removeTree,
  type OddTree,
} from '../../../../test/support/odd-tree.js';
import { RUN_TYPESCRIPT } from '../../../../test/support/from-sources.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { BackupLab, type LabImage, type LabOptions } from '../backup/testing/backup-lab.js';

import type { RestoreRequest } from './restore-request.js';
import type { RestoreImage } from './restore-source.js';
import { runRestore, type RestoreResult } from './run-restore.js';
import { fragmentFile, FolderReader } from './testing/image-on-disk.js';
import type { WriterThread } from './writer/start-writer.js';

/** The writing thread, started from the sources. */
const SOURCE_THREAD: WriterThread = {
  url: new URL('./writer/writer.worker.ts', import.meta.url),
  execArgv: RUN_TYPESCRIPT,
};

let folder: string;
let lab: BackupLab;
let count = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  lab = new BackupLab(folder);
});
afterAll(() => removeTree(folder));

/** What the catalog would tell of a lab's image. */
function imageOf({ sink }: LabImage): RestoreImage {
  const fragments = sink.seals.map(({ number, archiveOffset, archiveBytes }) => {
    const fragmentId = `${sink.folder}/${String(number).padStart(5, '0')}`;
    const size = (object: 'data' | 'index'): number =>
      statSync(fragmentFile('', fragmentId, object)).size;
    const sizes = { storedBytes: size('data'), indexBytes: size('index') };
    const indexDigest = blake3(readFileSync(fragmentFile('', fragmentId, 'index'))).toString('hex');
    const sources = [{ fragmentId, copy: 1, mediaId: 'media1' }];
    return { number, sources, archiveOffset, archiveBytes, ...sizes, indexDigest };
  });
  return { imageId: sink.folder, fragments };
}

function restore(images: readonly LabImage[], more: Partial<RestoreRequest> = {}) {
  return restoreStreams([images], more);
}

async function restoreStreams(
  streams: readonly (readonly LabImage[])[],
  more: Partial<RestoreRequest> = {},
): Promise<RestoreResult & { target: string; read: FolderReader }> {
  const target = `${folder}/restored-${++count}`;
  const read = new FolderReader('');
  const result = await runRestore({
    chain: streams.flatMap((images, stream) =>
      images.map((image) => ({ ...imageOf(image), stream })),
    ),
    reader: read,
    selection: [],
    destination: target,
    ...more,
  });
  return { ...result, target, read };
}

describe('a tree of odd files, backed up and changed', () => {
  let tree: OddTree;
  const images: LabImage[] = [];
  const differences = (target: string): Promise<Difference[]> =>
    compareTrees(tree.root, target + tree.root, {
      ignore: (path) => tree.sockets.includes(path),
    });

  beforeAll(async () => {
    tree = await makeOddTree(`${folder}/odd`);
    images.push(await lab.backUp([tree.root], { fragmentBytesMax: 3 * 2 ** 20 }));
  });

  it('comes back in every detail from a full', async () => {
    const { target, ...result } = await restore(images);
    expect(result.notes).toEqual([]);
    expect(result.status).toBe(0);
    expect(result.files).toBe(images[0]!.result.files);
    expect(await differences(target)).toEqual([]);
  });

  it('comes back in every detail when a thread of its own writes', async () => {
    const { target, ...result } = await restore(images, { thread: SOURCE_THREAD });
    expect(result).toMatchObject({ status: 0, notes: [] });
    expect(await differences(target)).toEqual([]);
  });

  it('comes back in its last state from a full and incrementals', async () => {
    mutateOddTree(tree);
    images.push(await lab.backUp([tree.root], { base: images[0]! }));
    const first = await restore(images);
    expect(first).toMatchObject({ status: 0, notes: [] });
    expect(await differences(first.target)).toEqual([]);

    writeFileSync(`${tree.root}/regular/text`, 'edited once more');
    renameSync(`${tree.root}/links`, `${tree.root}/links-renamed`);
    images.push(await lab.backUp([tree.root], { base: images[1]! }));
    const second = await restore(images);
    expect(second).toMatchObject({ status: 0, notes: [] });
    expect(await differences(second.target)).toEqual([]);
  });

  it('gives back an earlier state from the first images of the chain', async () => {
    const { target } = await restore(images.slice(0, 2), { selection: [`${tree.root}/links`] });
    const now = `${tree.root}/links-renamed`;
    const found = await compareTrees(now, `${target}${tree.root}/links`);
    expect(found).toEqual([]);
  });
});

it('reads a few frames and the index for one small file of a large image', async () => {
  const source = `${folder}/large`;
  for (let i = 0; i < 40; i++) {
    mkdirSync(`${source}/folder-${i}`, { recursive: true });
    writeFileSync(`${source}/folder-${i}/large`, noise(2 ** 20, i));
    writeFileSync(`${source}/folder-${i}/small`, `small ${i}`);
  }
  const image = await lab.backUp([source], { fragmentBytesMax: 10 * 2 ** 20 });
  const result = await restore([image], { selection: [`${source}/folder-33/small`] });
  expect(result).toMatchObject({ status: 0, files: 1, bytes: 8, notes: [] });
  expect(image.result.storedBytes).toBeGreaterThan(40 * 2 ** 20);
  expect(result.read.dataBytes).toBeLessThan(2.1 * 2 ** 20);
});

describe('many small files, half of them made by a second thread', () => {
  const FILES = 6_000;
  let source: string;
  let image: LabImage;
  beforeAll(async () => {
    source = `${folder}/small`;
    for (let i = 0; i < FILES; i++) {
      const within = `${source}/${i % 7}/${Math.floor(i / 40)}`;
      mkdirSync(within, { recursive: true });
      writeFileSync(`${within}/file-${i}`, `${i} `.repeat(i % 500), { mode: 0o600 + (i % 8) });
      if (i % 100 === 0) writeFileSync(`${within}/large-${i}`, noise(700_000, i));
      if (i % 500 === 0) linkSync(`${within}/file-${i}`, `${within}/link-${i}`);
    }
    image = await lab.backUp([source]);
  });

  it('come back in every detail, their folders with their times', async () => {
    const { target, ...result } = await restore([image], { thread: SOURCE_THREAD });
    expect(result).toMatchObject({ status: 0, notes: [], files: image.result.files });
    expect(result.bytes).toBe(image.result.bytes);
    expect(await compareTrees(source, target + source)).toEqual([]);
  });

  it('leave alone what is there, and say so', async () => {
    const { target: destination } = await restore([image], { thread: SOURCE_THREAD });
    const there = destination + source;
    const fileIn = (root: string, i: number) => `${root}/${i % 7}/${Math.floor(i / 40)}/file-${i}`;
    for (let i = 4_000; i < FILES; i += 2) rmSync(fileIn(there, i));
    writeFileSync(fileIn(there, 5_001), 'changed since');
    const again = await restore([image], { thread: SOURCE_THREAD, destination });
    expect(again.status).toBe(1);
    const leftAlone = again.notes.filter((note) =>
      note.includes('something of that name is there'),
    );
    expect(leftAlone.length).toBeGreaterThan(500);
    expect(readFileSync(fileIn(there, 5_001), 'utf8')).toBe('changed since');
    const differ = await compareTrees(source, there);
    // Folders were there, so their times are not put on them again.
    const files = new Set(differ.map(({ path }) => path).filter((path) => path.includes('file-')));
    expect([...files]).toEqual([fileIn(source, 5_001).slice(source.length + 1)]);
  });

  it('come back over what is there, where that is asked for', async () => {
    const first = await restore([image], { thread: SOURCE_THREAD });
    const { target: destination } = first;
    writeFileSync(`${destination}${source}/0/0/file-0`, 'to be replaced');
    const more = { thread: SOURCE_THREAD, destination, overwrite: true };
    expect(await restore([image], more)).toMatchObject({ status: 0, notes: [] });
    expect(await compareTrees(source, destination + source)).toEqual([]);
  });
});

it('gives up where the destination is full, and leaves nothing there that is half made', async () => {
  const source = `${folder}/too-large`;
  mkdirSync(source);
  writeFileSync(`${source}/fits`, noise(2 ** 20, 1));
  writeFileSync(`${source}/too-large`, noise(9 * 2 ** 20, 2));
  const image = await lab.backUp([source]);
  const destination = `${folder}/full`;
  mkdirSync(destination);
  const mount = ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', destination];
  if (spawnSync('mount', mount).status !== 0) return; // It takes a superuser.
  try {
    for (const thread of [SOURCE_THREAD, undefined]) {
      const result = await restore([image], { destination, ...(thread && { thread }) });
      expect(result.status).toBe(1);
      expect(result.notes).toContain('The restore gave up: the destination is full.');
      expect(readdirSync(`${destination}${source}`)).toEqual(['fits']);
    }
  } finally {
    spawnSync('umount', [destination]);
  }
});

describe('a selection in a folder to which the outer one comes no more', () => {
  /** What a selection has in `outer`, from the chain and from a full that was made just then. */
  const both = async (root: string, chain: readonly LabImage[], options: LabOptions) => {
    const selections = [root, `${root}/outer/keep`];
    const first = await lab.backUp(selections, { ...options, base: chain.at(-1)! });
    const next = await lab.backUp(selections, { ...options, base: first });
    const images = [...chain, first, next];
    const [merged, fresh] = [
      await restore(images),
      await restore([await lab.backUp(selections, options)]),
    ];
    expect(merged).toMatchObject({ status: 0, notes: [], files: fresh.files });
    expect(readFileSync(`${merged.target}${root}/outer/keep/file`, 'utf8')).toBe('kept');
    expect(
      await compareTrees(fresh.target + root, merged.target + root, { ignore: isMade }),
    ).toEqual([]);
  };
  /** It is in no image, so both restores make one of their own. */
  const isMade = (path: string) => path === 'outer';

  const fullOf = (root: string) => {
    mkdirSync(`${root}/outer/keep`, { recursive: true });
    writeFileSync(`${root}/outer/keep/file`, 'kept');
    writeFileSync(`${root}/outer/other`, 'other');
    return lab.backUp([root, `${root}/outer/keep`]);
  };

  it('comes back where that folder is excluded since', async () => {
    const root = `${folder}/excluded`;
    await both(root, [await fullOf(root)], { excludes: [`${root}/outer`] });
  });

  it('comes back where that folder was moved and a symlink leads to it', async () => {
    const root = `${folder}/moved`;
    const full = await fullOf(root);
    renameSync(`${root}/outer`, `${root}/elsewhere`);
    symlinkSync('elsewhere', `${root}/outer`);
    await both(root, [full], {});
  });
});

describe('a hard link whose folder got another name', () => {
  const fullOf = (root: string) => {
    for (const name of ['a', 'b', 'c']) mkdirSync(`${root}/${name}`, { recursive: true });
    for (const name of ['one', 'two']) {
      writeFileSync(`${root}/b/${name}`, name);
      for (const other of ['a', 'c']) linkSync(`${root}/b/${name}`, `${root}/${other}/${name}`);
    }
    return lab.backUp([root]);
  };
  const inodesOf = (root: string, folders: readonly string[]) =>
    new Set(folders.map((name) => lstatSync(`${root}/${name}/one`).ino)).size;

  it('stays one with links behind it that have not changed', async () => {
    const root = `${folder}/links-behind`;
    const full = await fullOf(root);
    renameSync(`${root}/b`, `${root}/a-b`);
    renameSync(`${root}/a`, `${root}/a-a`);
    const next = await lab.backUp([root], { base: full });
    expect(next).toMatchObject({ result: { status: 0 }, notes: [] });
    const { target, ...result } = await restore([full, next]);
    expect(result).toMatchObject({ status: 0, notes: [] });
    expect(await compareTrees(root, target + root)).toEqual([]);
    expect(inodesOf(target + root, ['a-a', 'a-b', 'c'])).toBe(1);
    // The link behind was stored with it; what is in the listing is the same, so that is for once.
    const last = await lab.backUp([root], { base: next });
    expect(lab.index(last)).toEqual([]);
  });

  it('is parted from links in front of it that have not changed, and that is said', async () => {
    const root = `${folder}/links-before`;
    const full = await fullOf(root);
    renameSync(`${root}/a`, `${root}/d`);
    renameSync(`${root}/c`, `${root}/e`);
    const next = await lab.backUp([root], { base: full });
    expect(next.result).toMatchObject({ status: 0 });
    expect(next.notes).toEqual([
      {
        level: 'info',
        text:
          'Hard links of 2 files lie in different images: those that have not changed are not stored ' +
          'again. A restore makes separate files of them, until the next full that reads the client.',
      },
    ]);
    const { target, ...result } = await restore([full, next]);
    expect(result).toMatchObject({ status: 0, notes: [] });
    expect(inodesOf(target + root, ['d', 'e'])).toBe(1);
    expect(inodesOf(target + root, ['b', 'd'])).toBe(2);
    const again = await lab.backUp([root]);
    expect(again.notes).toEqual([]);
    const whole = await restore([again]);
    expect(inodesOf(whole.target + root, ['b', 'd', 'e'])).toBe(1);
  });
});

describe('a client that was backed up in several streams', () => {
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  const filesIn = (target: string, source: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(`${target}${source}`, { recursive: true, encoding: 'utf8' })
        .filter((path) => statSync(`${target}${source}/${path}`).isFile())
        .sort()
        .map((path) => [path, readFileSync(`${target}${source}/${path}`, 'utf8')]),
    );

  it('comes back as it was, each stream in its last state', async () => {
    const source = `${folder}/many`;
    for (const name of ['a', 'b']) {
      write(`${source}/${name}/gone/same`, `${name} first`);
      write(`${source}/${name}/kept`, `${name} first`);
    }
    const a = [await lab.backUp([`${source}/a`])];
    const b = [await lab.backUp([`${source}/b`])];
    rmSync(`${source}/a/gone`, { recursive: true });
    writeFileSync(`${source}/a/new`, 'a second');
    a.push(await lab.backUp([`${source}/a`], { base: a[0]! }));
    renameSync(`${source}/b/kept`, `${source}/b/kept.renamed`);
    b.push(await lab.backUp([`${source}/b`], { base: b[0]! }));
    const { target, ...result } = await restoreStreams([a, b]);
    expect(result).toMatchObject({ status: 0, notes: [] });
    expect(await compareTrees(`${source}/a`, `${target}${source}/a`)).toEqual([]);
    expect(await compareTrees(`${source}/b`, `${target}${source}/b`)).toEqual([]);
    const some = await restoreStreams([a, b], {
      selection: [`${source}/b/gone`, `${source}/a/new`],
    });
    expect(some.status).toBe(0);
    expect(filesIn(some.target, source)).toEqual({ 'a/new': 'a second', 'b/gone/same': 'b first' });
  });

  it('has the newest of what several streams hold, and what only one of them holds', async () => {
    const source = `${folder}/overlap`;
    write(`${source}/top`, 'first');
    write(`${source}/inner/changed`, 'first');
    write(`${source}/inner/gone`, 'first');
    write(`${source}/inner/folder/file`, 'first');
    const outer = [await lab.backUp([source])];
    const inner = [await lab.backUp([`${source}/inner`])];
    write(`${source}/top`, 'second');
    write(`${source}/inner/changed`, 'second');
    outer.push(await lab.backUp([source], { base: outer[0]! }));
    write(`${source}/inner/changed`, 'third');
    rmSync(`${source}/inner/gone`);
    rmSync(`${source}/inner/folder`, { recursive: true });
    write(`${source}/inner/folder`, 'a file now');
    inner.push(await lab.backUp([`${source}/inner`], { base: inner[0]! }));
    const { target, status } = await restoreStreams([outer, inner]);
    expect(status).toBe(0);
    expect(filesIn(target, source)).toEqual({
      top: 'second',
      'inner/changed': 'third',
      'inner/folder': 'a file now',
      // The outer stream had it, and knows nothing of what the inner one saw later.
      'inner/gone': 'first',
    });
    const turned = await restoreStreams([inner, outer]);
    expect(filesIn(turned.target, source)).toMatchObject({ 'inner/changed': 'second' });
    expect(filesIn(turned.target, source)).toHaveProperty('inner/folder/file', 'first');
  });
});
