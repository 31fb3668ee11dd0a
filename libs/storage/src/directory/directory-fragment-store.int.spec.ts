import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { confirmGrant } from '../confirmed-grant.js';
import { FragmentDamaged, FragmentUnreadable } from '../errors.js';
import type { StoredFragment } from '../fragment-store.js';
import { describeFragmentStore } from '../testing/describe-fragment-store.js';
import { fragmentName, manifestOf, patternBytes, trashOf, write } from '../testing/fragments.js';
import { smallVolume, testFolder, volumeWith, type TestFolder } from '../testing/small-volume.js';
import { DirectoryFragmentStore } from './directory-fragment-store.js';

describeFragmentStore('Directory', async ({ freeBytes } = {}) => {
  const { folder, reserveBytes } = volumeWith(freeBytes);
  const open = () => new DirectoryFragmentStore({ folder: folder.path, reserveBytes });
  return { store: open(), reopen: open, dispose: async () => folder.dispose() };
});

describe('A directory fragment store', () => {
  const opened: TestFolder[] = [];
  afterEach(() => opened.splice(0).forEach((folder) => folder.dispose()));

  const newFolder = () => {
    const folder = testFolder();
    opened.push(folder);
    return folder.path;
  };
  const content = { data: patternBytes(5_000), index: patternBytes(100) };
  const seal = async (folder: string) => {
    const writer = await new DirectoryFragmentStore({ folder }).create(fragmentName(3));
    await writer.writeData([content.data]);
    await writer.writeIndex([content.index]);
    await writer.seal(manifestOf(fragmentName(3), content));
    return join(folder, 'images/web1_1790000000/c1');
  };

  it('lays its files out as the format says', async () => {
    const copy = await seal(newFolder());
    const base = '00003-01920000-0000-7000-8000-000000000003';
    const files = [`${base}.idx.zst`, `${base}.json`, `${base}.tar.zst`];
    expect(readdirSync(copy).sort()).toEqual(files);
    expect(readFileSync(join(copy, `${base}.tar.zst`)).equals(content.data)).toBe(true);
    expect(JSON.parse(readFileSync(join(copy, `${base}.json`), 'utf8'))).toMatchObject({
      number: 3,
    });
  });

  it('holds what is unfinished under names that a shell pattern for data does not meet', async () => {
    const folder = newFolder();
    const writer = await new DirectoryFragmentStore({ folder }).create(fragmentName(1));
    const names = readdirSync(join(folder, 'images/web1_1790000000/c1'));
    expect(names.every((name) => name.endsWith('.partial'))).toBe(true);
    await writer.abandon();
  });

  it('takes back what was begun, with its folders, and nothing whose seal was begun', async () => {
    const folder = newFolder();
    const store = new DirectoryFragmentStore({ folder });
    const writer = await store.create(fragmentName(1));
    await writer.writeData([content.data]);
    expect(await writer.discard()).toBe(true);
    expect(readdirSync(join(folder, 'images'))).toEqual([]);
    const sealing = await store.create(fragmentName(3));
    await sealing.writeData([content.data]);
    await sealing.writeIndex([content.index]);
    const copy = join(folder, 'images/web1_1790000000/c1');
    writeFileSync(join(copy, '00003-01920000-0000-7000-8000-000000000003.json.partial'), '');
    await expect(sealing.seal(manifestOf(fragmentName(3), content))).rejects.toThrow(/EEXIST/);
    expect(await sealing.discard()).toBe(false);
    expect(readdirSync(copy)).toHaveLength(3);
  });

  it('shows a fragment whose files are damaged as damaged and will not read it', async () => {
    const folder = newFolder();
    const copy = await seal(folder);
    truncateSync(
      join(
        copy,
        readdirSync(copy).find((name) => name.endsWith('.tar.zst'))!,
      ),
      4_999,
    );
    const store = new DirectoryFragmentStore({ folder });
    expect(await store.stat(fragmentName(3))).toMatchObject({ state: 'damaged' });
    await expect(store.open(fragmentName(3))).rejects.toBeInstanceOf(FragmentUnreadable);
    writeFileSync(
      join(
        copy,
        readdirSync(copy).find((name) => name.endsWith('.json'))!,
      ),
      '{"version":1',
    );
    expect(await store.stat(fragmentName(3))).toMatchObject({ state: 'damaged' });
    await expect(store.open(fragmentName(3))).rejects.toThrow(/not JSON/);
  });

  it('reads back what the kernel copied: a flipped bit does not get into another copy', async () => {
    const folder = newFolder();
    const copy = await seal(folder);
    const data = join(copy, '00003-01920000-0000-7000-8000-000000000003.tar.zst');
    const flipped = Buffer.from(content.data);
    flipped[4_321]! ^= 1;
    writeFileSync(data, flipped);
    const store = new DirectoryFragmentStore({ folder });
    const source = await store.open(fragmentName(3));
    const writer = await store.create(fragmentName(4, { copy: 2 }));
    await expect(writer.copyFrom(source)).rejects.toBeInstanceOf(FragmentDamaged);
    await writer.abandon();
    await source.close();
    expect(readFileSync(data).equals(flipped)).toBe(true);
    expect(await store.stat(fragmentName(4, { copy: 2 }))).toMatchObject({ state: 'partial' });
  });

  it('finishes a removal, or a return, that a crash had cut', async () => {
    const folder = newFolder();
    const copy = await seal(folder);
    const store = new DirectoryFragmentStore({ folder });
    const tombstoneId = '01920000-0000-7000-8000-0000000000aa';
    const trash = join(folder, '.trash', tombstoneId);
    const grant = confirmGrant({ ...fragmentName(3), tombstoneId }, { confirmed: true })!;
    const base = '00003-01920000-0000-7000-8000-000000000003';
    const half = () => {
      mkdirSync(trash, { recursive: true });
      renameSync(join(copy, `${base}.json`), join(trash, `${base}.json`));
    };
    half();
    expect(await store.stat(fragmentName(3))).toMatchObject({ state: 'partial' });
    await store.remove(grant, fragmentName(3));
    expect(readdirSync(copy)).toEqual([]);
    expect(readdirSync(trash)).toHaveLength(3);
    await store.takeBack(tombstoneId, fragmentName(3));
    half();
    await store.takeBack(tombstoneId, fragmentName(3));
    expect(await store.stat(fragmentName(3))).toMatchObject({ state: 'sealed' });
    expect(readdirSync(trash)).toEqual([]);
  });

  it('never replaces a file by one of the trash, or the other way round', async () => {
    const folder = newFolder();
    const copy = await seal(folder);
    const tombstoneId = '01920000-0000-7000-8000-0000000000aa';
    const trash = join(folder, '.trash', tombstoneId);
    mkdirSync(trash, { recursive: true });
    const base = '00003-01920000-0000-7000-8000-000000000003';
    writeFileSync(join(trash, `${base}.tar.zst`), 'other');
    const store = new DirectoryFragmentStore({ folder });
    const grant = confirmGrant({ ...fragmentName(3), tombstoneId }, { confirmed: true })!;
    await expect(store.remove(grant, fragmentName(3))).rejects.toThrow(/there already/);
    await expect(store.takeBack(tombstoneId, fragmentName(3))).rejects.toThrow(/there already/);
    expect(readFileSync(join(trash, `${base}.tar.zst`), 'utf8')).toBe('other');
    expect(readFileSync(join(copy, `${base}.tar.zst`)).equals(content.data)).toBe(true);
  });

  const tombstone = (nth: number) => `01920000-0000-7000-8000-${String(nth).padStart(12, 'a')}`;
  const remove = (store: DirectoryFragmentStore, nth: number) => {
    const name = fragmentName(nth);
    const tombstoneId = tombstone(nth);
    return store.remove(confirmGrant({ ...name, tombstoneId }, { confirmed: true })!, name);
  };

  it('keeps the folders of an image for what is in the trash, and no longer', async () => {
    const folder = newFolder();
    const store = new DirectoryFragmentStore({ folder });
    const other = fragmentName(3, { copy: 2 });
    for (const name of [fragmentName(1), fragmentName(2), other]) await write(store, name, content);
    const images = () => readdirSync(join(folder, 'images'), { recursive: true }).sort();
    await remove(store, 1);
    await store.emptyTrash(tombstone(1));
    expect(images()).toContain('web1_1790000000/c1');
    await remove(store, 2);
    expect(images()).toContain('web1_1790000000/c1');
    await store.emptyTrash(tombstone(2));
    expect(images()).not.toContain('web1_1790000000/c1');
    expect(await store.stat(other)).toMatchObject({ state: 'sealed' });
    const grant = confirmGrant({ ...other, tombstoneId: tombstone(3) }, { confirmed: true })!;
    await store.remove(grant, other);
    await store.emptyTrash(tombstone(3));
    expect(images()).toEqual([]);
    await write(store, fragmentName(4), content);
    expect(await store.stat(fragmentName(4))).toMatchObject({ state: 'sealed' });
  });

  it('takes what goes from the trash while it looks there for gone', async () => {
    const folder = newFolder();
    const trash = join(folder, '.trash', tombstone(1));
    mkdirSync(trash, { recursive: true });
    writeFileSync(join(trash, '00001-01920000-0000-7000-8000-000000000001.tar.zst'), '');
    const looking = trashOf(new DirectoryFragmentStore({ folder }), tombstone(1));
    // The folder is read meanwhile, beside this thread.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    rmSync(trash, { recursive: true });
    expect(await looking).toEqual([]);
  });

  it('takes fragments of an image, and removes them, while its folders come and go', async () => {
    const small = smallVolume(64 * 1024 * 1024) ?? testFolder();
    opened.push(small);
    const store = new DirectoryFragmentStore({ folder: small.path, reserveBytes: 0 });
    const rounds = async (stream: number) => {
      for (let round = 0; round < 60; round += 1) {
        const nth = stream * 100 + round;
        await write(store, fragmentName(nth), content);
        await remove(store, nth);
        await store.emptyTrash(tombstone(nth));
      }
    };
    await Promise.all([1, 2, 3, 4, 5].map(rounds));
    expect(readdirSync(join(small.path, 'images'))).toEqual([]);
  });

  it('says that inodes ran out, and keeps some of them for deletions', async () => {
    const small = smallVolume(64 * 1024 * 1024, 200);
    if (!small) return;
    opened.push(small);
    const store = new DirectoryFragmentStore({ folder: small.path, reserveBytes: 0 });
    let sealed = 0;
    const fill = async () => {
      for (;;) {
        await write(store, fragmentName(sealed + 1), content);
        sealed += 1;
      }
    };
    await expect(fill()).rejects.toThrow(/has no inodes left/);
    expect(await store.freeBytes()).toBe(0);
    expect(sealed).toBeGreaterThan(50);
    for (const nth of [1, 2, 3]) await remove(store, nth);
    for (const nth of [1, 2, 3]) await store.emptyTrash(tombstone(nth));
    await write(store, fragmentName(sealed + 1), content);
    const takeAll = () => {
      for (let nth = 0; ; nth += 1) writeFileSync(join(small.path, `other-${nth}`), '');
    };
    expect(takeAll).toThrow(/ENOSPC/);
    await expect(remove(store, 4)).rejects.toThrow(/has no inodes left/);
  });

  describe('on a medium that does not give all that is on it', () => {
    const manifest = '00003-01920000-0000-7000-8000-000000000003.json';
    /** It opens, and reading it fails with EIO. */
    const harm = (path: string) => {
      rmSync(path, { force: true });
      symlinkSync('/proc/self/mem', path);
    };
    /** Whatever is done with it fails with ELOOP. */
    const loop = (path: string) => symlinkSync(path, path);
    const seen = async <T>(listing: AsyncIterable<T>) => {
      const found: T[] = [];
      const ended = (async () => {
        for await (const one of listing) found.push(one);
      })();
      await expect(ended).rejects.toMatchObject({ code: 'ELOOP' });
      return found;
    };

    it.each(['json', 'tar.zst', 'idx.zst'])(
      'shows a fragment without its %s as damaged',
      async (which) => {
        const folder = newFolder();
        const copy = await seal(folder);
        const path = join(copy, manifest.replace('json', which));
        rmSync(path);
        if (which === 'json') harm(path);
        else loop(path);
        const store = new DirectoryFragmentStore({ folder });
        const found = {
          state: 'damaged',
          isUnreadable: true,
          reason: expect.stringMatching(/EIO|ELOOP/),
        };
        expect(await store.stat(fragmentName(3))).toMatchObject(found);
        await expect(store.open(fragmentName(3))).rejects.toBeInstanceOf(FragmentUnreadable);
        await expect(store.create(fragmentName(3))).rejects.toThrow(/there already/);
      },
    );

    it('takes a fragment to the trash and from it whose manifest cannot be read', async () => {
      const folder = newFolder();
      const copy = await seal(folder);
      harm(join(copy, manifest));
      const store = new DirectoryFragmentStore({ folder });
      await remove(store, 3);
      const [found] = await trashOf(store);
      expect(found).toMatchObject({ tombstoneId: tombstone(3), number: 3, isUnreadable: true });
      expect(found).not.toHaveProperty('manifest');
      await store.takeBack(tombstone(3), fragmentName(3));
      expect(readdirSync(copy)).toHaveLength(3);
      await remove(store, 3);
      await store.emptyTrash(tombstone(3));
      expect(await trashOf(store)).toEqual([]);
    });

    it('lists all else, and ends with the folder that it does not give', async () => {
      const folder = newFolder();
      const store = new DirectoryFragmentStore({ folder });
      const names = [fragmentName(3, { copy: 2 }), fragmentName(4, { imageId: 'web2_1790000000' })];
      for (const name of names) await write(store, name, content);
      loop(join(folder, 'images/web1_1790000000/c1'));
      loop(join(folder, 'images/web0_1790000000'));
      expect((await seen(store.list())).map(({ name }) => name)).toEqual(names);
    });

    it('gives all else that is in the trash', async () => {
      const folder = newFolder();
      const store = new DirectoryFragmentStore({ folder });
      await write(store, fragmentName(2), content);
      await remove(store, 2);
      loop(join(folder, '.trash', tombstone(1)));
      expect(await seen(store.trash())).toMatchObject([{ tombstoneId: tombstone(2) }]);
      await expect(store.emptyTrash(tombstone(1))).rejects.toThrow(/ELOOP/);
    });
  });

  it('takes a fragment whose manifest never appeared for partial', async () => {
    const folder = newFolder();
    const copy = join(folder, 'images/web1_1790000000/c1');
    mkdirSync(copy, { recursive: true });
    writeFileSync(join(copy, '00001-01920000-0000-7000-8000-000000000001.tar.zst'), 'data');
    writeFileSync(join(copy, 'README'), 'not ours');
    const found: StoredFragment[] = [];
    for await (const one of new DirectoryFragmentStore({ folder }).list()) found.push(one);
    expect(found).toEqual([{ state: 'partial', name: fragmentName(1), dataBytes: 4 }]);
  });
});
