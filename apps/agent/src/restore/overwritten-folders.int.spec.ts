import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { aclXattr } from '../../../../test/support/acl-xattr.js';

import { listXattrs, setXattr } from '../posix/posix.js';
import { archiveOf, dir, file } from './testing/image-on-disk.js';
import { useRestoreLab } from './testing/restore-lab.js';

const lab = await useRestoreLab();
const { folder, image, restore } = lab;

const ACCESS = 'system.posix_acl_access';
const DEFAULT = 'system.posix_acl_default';
/** Of another user, who may do more than the group. */
const ACL = aclXattr('u::rwx,u:1000:rwx,g::rwx,m::rwx,o::---');

/** Makes a folder in the destination with all that somebody may put on one. */
function decorated(name: string): string {
  const path = join(lab.target, name);
  mkdirSync(path, { recursive: true });
  for (const kind of [ACCESS, DEFAULT]) setXattr(path, kind, ACL);
  for (const kind of ['user.mine', 'user.both']) setXattr(path, kind, Buffer.from('mine'));
  if (process.geteuid?.() !== 0) return path;
  for (const kind of ['trusted.mine', 'security.label']) setXattr(path, kind, Buffer.from('mine'));
  return path;
}

/** What a decorated folder keeps: what the system's security modules put on it. */
const KEPT = process.geteuid?.() === 0 ? ['security.label'] : [];
const EVERYTHING = [ACCESS, DEFAULT, 'user.mine', 'user.both', ...KEPT];

const modeOf = (path: string): number => statSync(path).mode & 0o7777;
const owner = { uid: process.geteuid!(), gid: process.getegid!() };
const folderEntry = (path: string) => ({ entry: { ...dir(path).entry, ...owner, mode: 0o750 } });
const fileEntry = (path: string) => ({ ...file(path), entry: { ...file(path).entry, ...owner } });

describe('a folder that was there', () => {
  const parts = { imageId: 'over', archive: archiveOf([folderEntry('d'), fileEntry('d/file')]) };

  it('has no attributes and ACLs but those of the image, where it is overwritten', async () => {
    const path = decorated('d');
    const over = await image(parts);
    expect(await restore([over], { overwrite: true })).toMatchObject({ status: 0, notes: [] });
    expect(listXattrs(path)).toEqual(KEPT);
    expect(modeOf(path)).toBe(0o750);
    expect(listXattrs(join(path, 'file'))).toEqual([]);
  });

  it('has those of the image', async () => {
    const xattrs = new Map([['user.both', Buffer.from('of the image')]]);
    const aclDefault = 'user::rwx,user:1000:r-x,group::r-x,mask::r-x,other::---';
    const entry = { ...folderEntry('d').entry, xattrs, aclDefault };
    const path = decorated('d');
    const own = await image({ imageId: 'own', archive: archiveOf([{ entry }]) });
    expect(await restore([own], { overwrite: true })).toMatchObject({ status: 0, notes: [] });
    expect(listXattrs(path).sort()).toEqual([...KEPT, DEFAULT, 'user.both']);
    expect(modeOf(path)).toBe(0o750);
  });

  it('keeps what it has, where it is not overwritten, or only on the way', async () => {
    const path = decorated('d');
    const over = await image(parts);
    expect(await restore([over])).toMatchObject({ status: 0, notes: [] });
    const more = { overwrite: true, selection: ['d/file'] };
    expect(await restore([over], more)).toMatchObject({ status: 0, notes: [] });
    expect(listXattrs(path)).toEqual(expect.arrayContaining(EVERYTHING));
  });

  it('keeps what it has, where nothing but the index tells of it', async () => {
    const path = decorated('d');
    const lost = await image({
      imageId: 'lost',
      archive: archiveOf([fileEntry('d'), fileEntry('d/file')]),
      change: (line) => (line.path === 'd' ? { ...line, type: 'd' } : line),
    });
    expect(await restore([lost], { overwrite: true })).toMatchObject({ status: 1, files: 1 });
    expect(listXattrs(path)).toEqual(expect.arrayContaining(EVERYTHING));
  });
});

describe('a new destination in a folder that passes on its ACL', () => {
  it('does not pass it on to what is restored', async () => {
    const above = join(folder, 'above');
    mkdirSync(above);
    setXattr(above, DEFAULT, ACL);
    const root = await image({
      imageId: 'root',
      archive: archiveOf([folderEntry(''), fileEntry('file')]),
    });
    const destination = join(above, 'new');
    expect(await restore([root], { destination })).toMatchObject({ status: 0, notes: [] });
    for (const path of [destination, join(destination, 'file')]) {
      expect(listXattrs(path)).toEqual([]);
    }
    expect(modeOf(destination)).toBe(0o750);
  });
});
