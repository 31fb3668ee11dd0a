import { randomFillSync } from 'node:crypto';
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { aclXattr } from '../../../../test/support/acl-xattr.js';
import { compareTrees } from '../../../../test/support/compare-trees.js';
import { removeTree } from '../../../../test/support/odd-tree.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';

import { getXattr, setXattr } from '../posix/posix.js';

import { BackupLab, type LabImage } from './testing/backup-lab.js';
import { ResumeLab } from './testing/resume-lab.js';

let folder: string;
let lab: BackupLab;

beforeAll(async () => {
  folder = await temporaryFolder();
  lab = new BackupLab(folder);
});
afterAll(() => removeTree(folder));

describe('selections', () => {
  beforeAll(() => {
    mkdirSync(`${folder}/select/a/b`, { recursive: true });
    mkdirSync(`${folder}/select/c`);
    writeFileSync(`${folder}/select/a/b/file`, 'one');
    writeFileSync(`${folder}/select/a/skip.tmp`, 'two');
    writeFileSync(`${folder}/select/c/file`, 'three');
    symlinkSync('a', `${folder}/select/link`);
  });

  const pathsOf = (image: LabImage) =>
    lab.index(image).map(({ type, path }) => `${type} ${path.slice(folder.length)}`);
  const at = (...names: string[]) => names.map((name) => `${folder}/select/${name}`);

  it('are walked in order, each once, without what is excluded', async () => {
    const image = await lab.backUp(at('c/file', 'a', 'a/b', 'link', 'a/'), {
      excludes: ['*.tmp', `${folder}/select/a/none/**`],
    });
    expect(pathsOf(image)).toEqual([
      'd select/a',
      'd select/a/b',
      'f select/a/b/file',
      'f select/c/file',
      'l select/link',
    ]);
  });

  it('are reached however deep they lie, and leave no folder open', async () => {
    const root = `${folder}/deep`;
    let at = root;
    for (let level = 0; level < 100; level++) {
      at += `/${level}`;
      mkdirSync(at, { recursive: true });
      for (let n = 0; n < 9; n++) writeFileSync(`${at}/file-${n}`, `${level} ${n}`);
    }
    const before = openFolders();
    const full = await lab.backUp([root]);
    expect(full.result).toMatchObject({ status: 0, files: 1 + 100 * 10 });
    expect(openFolders()).toBe(before);
    expect(await compareTrees(root, lab.restore(full, 'deep-restored', root))).toEqual([]);
    const next = await lab.backUp([root], { base: full });
    expect(lab.index(next)).toEqual([]);
  });

  it('follow a symlink whose path ends in a slash', async () => {
    expect(pathsOf(await lab.backUp(at('link/')))).toEqual([
      'd select/link',
      'd select/link/b',
      'f select/link/b/file',
      'f select/link/skip.tmp',
    ]);
  });

  it('have the attributes and ACLs of what a followed symlink leads to', async () => {
    const root = `${folder}/attributes`;
    mkdirSync(`${root}/real`, { recursive: true });
    setXattr(`${root}/real`, 'user.of', Buffer.from('the folder'));
    const acl = aclXattr('u::rwx,u:1234:r-x,g::r-x,m::r-x,o::---');
    for (const kind of ['access', 'default']) {
      setXattr(`${root}/real`, `system.posix_acl_${kind}`, acl);
    }
    symlinkSync('real', `${root}/link`);
    const image = await lab.backUp([`${root}/link/`]);
    expect(image).toMatchObject({ result: { status: 0 }, notes: [] });
    const restored = lab.restore(image, 'attributes-restored', `${root}/link`);
    expect(await compareTrees(`${root}/real`, restored)).toEqual([]);
    expect(getXattr(restored, 'user.of')?.toString()).toBe('the folder');
  });

  it('do not enter an excluded folder', async () => {
    const image = await lab.backUp(at('a'), { excludes: ['b/'] });
    expect(pathsOf(image)).toEqual(['d select/a', 'f select/a/skip.tmp']);
  });

  it('have what was excluded taken back, file by file or folder by folder', async () => {
    const only = await lab.backUp(at('a'), { excludes: [`${folder}/select/a/*`, '!b/'] });
    expect(pathsOf(only)).toEqual(['d select/a', 'd select/a/b', 'f select/a/b/file']);
    const folders = await lab.backUp(at('a'), { excludes: ['file', 'skip.tmp', '!/**/skip.tmp'] });
    expect(pathsOf(folders)).not.toContain('f select/a/b/file');
    expect(pathsOf(folders)).toContain('f select/a/skip.tmp');
    const inside = await lab.backUp(at('a'), { excludes: ['b', '!file'] });
    expect(pathsOf(inside)).not.toContain('f select/a/b/file');
  });

  it('are stored where the outer one does not come to them by itself', async () => {
    const root = `${folder}/nested`;
    mkdirSync(`${root}/real/inside`, { recursive: true });
    mkdirSync(`${root}/skip.tmp/keep`, { recursive: true });
    for (const name of ['real/inside/file', 'skip.tmp/keep/file', 'skip.tmp/other', 'zz']) {
      writeFileSync(`${root}/${name}`, name);
    }
    symlinkSync('real', `${root}/link`);
    symlinkSync('real', `${root}/plain`);
    const inner = ['link/inside', 'skip.tmp/keep', 'plain', 'real/inside', 'none', 'zz/none'];
    const excludes = ['*.tmp'];
    const image = await lab.backUp([root, ...inner.map((name) => `${root}/${name}`)], { excludes });
    expect(pathsOf(image).map((line) => line.replace(' nested', ' '))).toEqual([
      'd ',
      'd /link/inside',
      'f /link/inside/file',
      'l /plain',
      'd /real',
      'd /real/inside',
      'f /real/inside/file',
      'd /skip.tmp/keep',
      'f /skip.tmp/keep/file',
      'f /zz',
    ]);
    expect(image.notes).toEqual([
      {
        level: 'info',
        text: expect.stringMatching(/link: is a symlink that leads to a selection/),
      },
      { level: 'warning', text: `${root}/none: does not exist` },
      { level: 'warning', text: `${root}/zz/none: does not exist` },
    ]);
    // An outer selection that is a link is followed where an inner one says so.
    const followed = await lab.backUp([root, `${root}/plain/`]);
    expect(pathsOf(followed)).toContain('f nested/plain/inside/file');
    const next = await lab.backUp([root, ...inner.map((name) => `${root}/${name}`)], {
      ...{ excludes, base: image },
    });
    expect(pathsOf(next)).toEqual([]);
  });

  it('that a symlink does not lead to cost nothing but themselves', async () => {
    const root = `${folder}/nowhere`;
    mkdirSync(`${root}/real/inside`, { recursive: true });
    symlinkSync('/nowhere', `${root}/dangling`);
    symlinkSync('/nowhere', `${root}/followed`);
    symlinkSync('real', `${root}/half`);
    symlinkSync('loop', `${root}/loop`);
    symlinkSync('real', `${root}/real-again`);
    const inner = ['dangling/deep', 'followed/', 'half/inside', 'half/none', 'loop/in'];
    const selections = [root, ...[...inner, 'real-again/none'].map((name) => `${root}/${name}`)];
    const image = await lab.backUp(selections);
    const stored = [
      'd ',
      'l /dangling',
      'l /followed',
      'd /half/inside',
      'l /loop',
      'd /real',
      'd /real/inside',
      'l /real-again',
    ];
    expect(pathsOf(image).map((line) => line.replace(' nowhere', ' '))).toEqual(stored);
    expect(image.result.status).toBe(1);
    expect(image.notes).toEqual([
      { level: 'warning', text: `${root}/followed: is a symlink that leads to nothing` },
      {
        level: 'info',
        text: `${root}/half: is a symlink that leads to a selection, which is stored instead`,
      },
      { level: 'warning', text: `${root}/half/none: does not exist` },
      { level: 'warning', text: `${root}/dangling/deep: does not exist` },
      { level: 'warning', text: expect.stringMatching(/loop\/in: cannot be looked at .*ELOOP/) },
      { level: 'warning', text: `${root}/real-again/none: does not exist` },
    ]);
    const next = await lab.backUp(selections, { base: image });
    expect(pathsOf(next)).toEqual([]);
  });

  it('that are a file in which an earlier attempt was cut off are there', async () => {
    const root = `${folder}/cut`;
    mkdirSync(root);
    writeFileSync(`${root}/large`, randomFillSync(Buffer.alloc(60_000)));
    const common = { ring: { buffers: 3, bufferBytes: 8192 } };
    const selections = [root, `${root}/large`];
    const cut = new ResumeLab(`${folder}/cut-image`, selections, {
      ...{ fragmentBytesMax: 10_000, common },
    });
    await cut.attempt({ keep: 3 });
    expect(await cut.attempt()).toMatchObject({ status: 0 });
  });

  it('that do not exist are reported; if none exists nothing is sent', async () => {
    const some = await lab.backUp(at('c', 'missing'));
    expect(some.result.status).toBe(1);
    expect(some.notes).toEqual([
      { level: 'warning', text: `${folder}/select/missing: does not exist` },
    ]);
    const none = await lab.backUp(at('missing', 'gone'));
    expect(none.result).toMatchObject({ status: 71, files: 0, fragments: 0 });
    expect(none.sink.totals).toBeUndefined();
  });

  it('must be absolute', async () => {
    await expect(lab.backUp(['relative'])).rejects.toThrow(/not an absolute path/);
  });
});

function openFolders(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    const found = statSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false });
    return found?.isDirectory();
  }).length;
}
