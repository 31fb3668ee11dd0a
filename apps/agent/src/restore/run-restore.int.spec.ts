import { spawnSync } from 'node:child_process';
import { lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, it } from '@jest/globals';
import { blake3 } from '@napi-rs/blake-hash';

import { compareTrees } from '../../../../test/support/compare-trees.js';
import { noise } from '../../../../test/support/odd-tree-maker.js';
import { makeOddTree, type OddTree } from '../../../../test/support/odd-tree.js';

import type { FragmentRead, RestoreImage } from './restore-source.js';
import { archiveOf, dir, file, FolderReader, fragmentFile } from './testing/image-on-disk.js';
import { useRestoreLab } from './testing/restore-lab.js';

const MIB = 2 ** 20;
const LOST = [{ fragmentId: 'lost', copy: 1, mediaId: 'media1' }];
const lab = await useRestoreLab();
const { folder, fragments, image, restore, names } = lab;

/** The archive that GNU tar makes of a folder in the order of ours. */
function gnuTar(cwd: string, names: readonly string[]): Buffer {
  const file = join(folder, `${names.join()}.tar`);
  const made = spawnSync(
    'tar',
    ['--format=posix', '--sort=name', '--sparse', '--xattrs', '--xattrs-include=*', '--acls']
      .concat(['--numeric-owner', '--pax-option=delete=atime,delete=ctime', '-cf', file, '-C', cwd])
      .concat(names),
    { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } },
  );
  if (made.status !== 0 && !made.stderr.includes('socket ignored')) throw new Error(made.stderr);
  return readFileSync(file);
}

describe('a tree of every odd file, as GNU tar archives it', () => {
  let tree: OddTree;
  let full: RestoreImage;
  beforeAll(async () => {
    tree = await makeOddTree(join(folder, 'source', 'odd'));
    full = await image({
      imageId: 'odd',
      archive: gnuTar(join(folder, 'source'), ['odd']),
      fragmentBytes: 3 * MIB + 512,
    });
  });

  it('comes back without a difference', async () => {
    const result = await restore([full]);
    expect(result.notes).toEqual([]);
    expect(result.status).toBe(0);
    // GNU tar stores each link of a fifo as a fifo of its own.
    const ignore = (path: string): boolean =>
      tree.sockets.includes(path) || path === 'special/fifo-again';
    expect(await compareTrees(tree.root, join(lab.target, 'odd'), { ignore })).toEqual([]);
  });

  it('gives a part: folders on the way as they were, links among the selected together', async () => {
    const result = await restore([full], {
      selection: ['/odd/links/other', 'odd/links/two-of-three', 'odd/links/zz-made-first'],
    });
    expect(result).toMatchObject({ status: 0, notes: [] });
    expect(names()).toEqual([
      'odd',
      'odd/links',
      'odd/links/other',
      'odd/links/other/three-of-three',
      'odd/links/two-of-three',
      'odd/links/zz-made-first',
    ]);
    const inode = (path: string): number => lstatSync(join(lab.target, path)).ino;
    expect(inode('odd/links/two-of-three')).toBe(inode('odd/links/other/three-of-three'));
    expect(readFileSync(join(lab.target, 'odd/links/zz-made-first'), 'utf8')).toBe(
      'the link that sorts first was made last\n',
    );
    const times = (path: string): bigint => lstatSync(path, { bigint: true }).mtimeNs;
    expect(times(join(lab.target, 'odd/links'))).toBe(times(join(tree.root, 'links')));
  });

  it('leaves alone what is there, and replaces it when asked to', async () => {
    const selection = ['odd/regular', 'odd/links'];
    await restore([full], { selection });
    writeFileSync(join(lab.target, 'odd/regular/text'), 'mine');
    const again = await restore([full], { selection });

    expect(again).toMatchObject({ status: 1 });
    expect(again.notes).toContain(
      'odd/regular/text: not restored: something of that name is there.',
    );
    expect(readFileSync(join(lab.target, 'odd/regular/text'), 'utf8')).toBe('mine');
    const replaced = await restore([full], { selection, overwrite: true });
    expect(replaced).toMatchObject({ status: 0, notes: [] });
    for (const part of ['regular', 'links']) {
      expect(await compareTrees(join(tree.root, part), join(lab.target, 'odd', part))).toEqual([]);
    }
  });
});

describe('a chain', () => {
  it('gives what existed after its newest image, deletions and changes of kind honoured', async () => {
    const zero = await image({
      imageId: 'zero',
      archive: archiveOf([
        dir('t'),
        dir('t/deleted'),
        file('t/deleted/inside'),
        dir('t/deleted-and-back'),
        file('t/deleted-and-back/old'),
        file('t/edited', 'old'),
        dir('t/folder'),
        file('t/folder/hidden'),
        file('t/kept'),
        dir('t/selected-above'),
        dir('t/selected-above/selected'),
        file('t/selected-above/selected/kept'),
        file('t/turned'),
      ]),
    });
    const one = await image({
      imageId: 'one',
      archive: archiveOf([dir('t'), file('t/edited', 'newer'), file('t/folder', 'now a file')]),
      deleted: [
        ...['t/deleted', 't/deleted/inside', 't/deleted-and-back', 't/deleted-and-back/old'],
        ...['t/selected-above'],
      ],
    });
    const two = await image({
      imageId: 'two',
      archive: archiveOf([
        dir('t/deleted-and-back'),
        file('t/deleted-and-back/new'),
        file('t/edited', 'newest'),
        dir('t/turned'),
        file('t/turned/inside'),
      ]),
    });
    expect(await restore([zero, one, two])).toMatchObject({ status: 0, notes: [], files: 10 });
    expect(names()).toEqual(
      [
        't',
        't/deleted-and-back',
        't/deleted-and-back/new',
        't/edited',
        't/folder',
        't/kept',
        't/selected-above',
        't/selected-above/selected',
        't/selected-above/selected/kept',
        't/turned',
        't/turned/inside',
      ]
        .concat()
        .sort(),
    );
    expect(readFileSync(join(lab.target, 't/edited'), 'utf8')).toBe('newest');
    const gone = await restore([zero, one, two], { selection: ['t/deleted', 't/kept'] });
    expect(gone.notes).toContain('t/deleted: no such path in the image.');
  });

  it('never links to a file of another image that has the same name', async () => {
    const zero = await image({
      imageId: 'linked',
      archive: archiveOf([
        file('a', 'first'),
        { entry: { path: 'b', type: 'h', linkTarget: 'a' } },
        { entry: { path: 'c', type: 'h', linkTarget: 'a' } },
      ]),
    });
    const one = await image({ imageId: 'replaced', archive: archiveOf([file('a', 'second')]) });
    expect(await restore([zero, one])).toMatchObject({ status: 0, files: 3 });
    const read = (name: string): string => readFileSync(join(lab.target, name), 'utf8');
    expect([read('a'), read('b'), read('c')]).toEqual(['second', 'first', 'first']);
    expect(lstatSync(join(lab.target, 'b')).ino).toBe(lstatSync(join(lab.target, 'c')).ino);
  });
});

describe('reading', () => {
  let big: RestoreImage;
  beforeAll(async () => {
    const source = join(folder, 'big');
    mkdirSync(join(source, 'big'), { recursive: true });
    for (let i = 10; i < 40; i++) writeFileSync(join(source, `big/file-${i}`), noise(MIB, i));
    big = await image({
      imageId: 'big',
      archive: gnuTar(source, ['big']),
      fragmentBytes: 8 * MIB,
    });
  });

  it('takes only the frames that hold a selected file', async () => {
    const reader = new FolderReader(fragments);
    const result = await restore([big], { reader, selection: ['big/file-25'] });
    expect(result).toMatchObject({ status: 0, files: 1, bytes: MIB });
    expect(reader.dataBytes).toBeLessThan(3 * MIB);
    expect(readFileSync(join(lab.target, 'big/file-25')).equals(noise(MIB, 25))).toBe(true);
  });

  it('names what a damaged frame touches, and restores the rest', async () => {
    const path = fragmentFile(fragments, 'big-2', 'data');
    const sound = readFileSync(path);
    const flipped = Buffer.from(sound);
    flipped[Math.floor(flipped.length / 2)]! ^= 1;
    writeFileSync(path, flipped);
    const result = await restore([big]);
    writeFileSync(path, sound);
    expect(result.status).toBe(1);
    expect(result.notes.length).toBeGreaterThan(0);
    expect(result.notes.length).toBeLessThan(4);
    for (const note of result.notes) {
      expect(note).toMatch(
        /^big\/file-\d+: not restored: frame 5 of fragment 2 of image big is damaged/,
      );
    }
    expect(names('big')).toHaveLength(30 - result.notes.length);
  });

  it('restores what it can when a fragment is lost', async () => {
    const lost = { ...big.fragments[1]!, sources: LOST };
    const chain = [{ ...big, fragments: big.fragments.with(1, lost) }];
    const result = await restore(chain);
    expect(result.status).toBe(1);
    expect(result.notes.join('\n')).toContain('Image big, fragment 2: the index is damaged');
    expect(names('big').length).toBeGreaterThan(20);
  });

  it('says so when an index has something in it that is neither lines nor the table', async () => {
    const path = fragmentFile(fragments, 'big-2', 'index');
    const sound = readFileSync(path);
    const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const odd = Buffer.concat([skippable, sound]);
    writeFileSync(path, odd);
    const indexDigest = blake3(odd).toString('hex');
    const changed = { ...big.fragments[1]!, indexBytes: odd.length, indexDigest };
    const result = await restore([{ ...big, fragments: big.fragments.with(1, changed) }]);
    writeFileSync(path, sound);
    expect(result.status).toBe(1);
    expect(result.notes.join('\n')).toContain('Image big, fragment 2: the index is damaged');
  });

  it('says so when nothing can be restored, and when nothing is found', async () => {
    const lost = big.fragments.map((one) => ({ ...one, sources: LOST }));
    expect(await restore([{ ...big, fragments: lost }])).toMatchObject({ status: 5, files: 0 });
    const missing = await restore([big], { selection: ['/big/none', 'other'] });
    expect(missing).toMatchObject({ status: 185, files: 0 });
    expect(missing.notes).toContain('/big/none: no such path in the image.');
    const some = await restore([big], { selection: ['big/none', 'big/file-10'] });
    expect(some).toMatchObject({ status: 1, files: 1 });
  });

  it('ends with what it has when the way to the data is lost', async () => {
    const reader = new FolderReader(fragments);
    let restored = 0;
    const read = (range: FragmentRead): AsyncIterable<Buffer> => {
      if (restored > 3) throw new Error('network connection broken');
      return reader.read(range);
    };
    const onProgress = ({ files }: { files: number }) => void (restored = files);
    const result = await restore([big], { reader: { read }, onProgress });
    expect(result.status).toBe(1);
    expect(result.notes.at(-1)).toBe('The restore ended early: network connection broken');
    expect(names('big').length).toBe(result.files - 1);
    for (const name of names('big')) {
      expect(readFileSync(join(lab.target, 'big', name)).length).toBe(MIB);
    }
  });

  it('says so when the destination cannot be used', async () => {
    writeFileSync(join(folder, 'a-file'), '');
    const result = await restore([big], { destination: join(folder, 'a-file', 'below') });
    expect(result).toMatchObject({ status: 5, files: 0 });
    expect(result.notes).toHaveLength(1);
    expect(result.notes[0]).toContain('cannot be used');
  });

  it('stops when told to, and leaves no half-written file', async () => {
    const controller = new AbortController();
    const result = await restore([big], {
      signal: controller.signal,
      onProgress: ({ files }) => {
        if (files > 3) controller.abort();
      },
    });
    expect(result.status).toBe(150);
    expect(result.files).toBeLessThan(31);
    for (const name of names('big')) {
      expect(readFileSync(join(lab.target, 'big', name)).length).toBe(MIB);
    }
    expect(result.notes.at(-1)).toContain('was stopped');
  });
});
