import { blake3 } from '#kernel/blake3.js';
import type { Manifest } from '#archive/manifest.js';
import type { ConfirmedGrant } from '#storage/confirmed-grant.js';
import {
  copyFolder,
  fileName,
  PARTIAL_SUFFIX,
  parseFileName,
  type FragmentFile,
  type FragmentName,
} from '#storage/fragment-name.js';
import type {
  FragmentStore,
  SealedFragmentReader,
  StoredFragment,
  TrashedFragment,
} from '#storage/fragment-store.js';
import type { Habits } from '../../rules.js';
import type { DiskLink } from './disk-link.js';

export const FILES: readonly FragmentFile[] = ['data', 'index', 'manifest'];
const REMOVAL: readonly (readonly FragmentFile[])[] = [['manifest'], ['index', 'data']];
const RETURN: readonly (readonly FragmentFile[])[] = [['data', 'index'], ['manifest']];
const TRASH = '.trash';

/** What the real recovery, removal and inventory ask of a store. */
type UsedOfStore = Pick<
  FragmentStore,
  'stat' | 'settle' | 'remove' | 'takeBack' | 'trash' | 'emptyTrash' | 'list' | 'open'
>;

/** Where a file of a fragment has its place. */
export function pathOf(name: FragmentName, file: FragmentFile): string {
  return `${folderOf(name)}/${fileName(name, file)}`;
}

export function digestOf(bytes: Buffer): string {
  return blake3(bytes).toString('hex');
}

/**
 * Fragments on a simulated disk, step by step as the real store goes: temporary names, syncs, data and
 * index, folder, manifest, folder; and to the trash and back in steps that are durable one by one.
 */
export class SimStore implements UsedOfStore {
  constructor(
    private readonly disk: DiskLink,
    /** None of them in a world that is not meant to fail. */
    private readonly habits: Pick<Habits, 'skipsSync' | 'settlesNothing'>,
  ) {}

  async begin(name: FragmentName): Promise<void> {
    await this.disk.create(partial(name, 'data'));
    await this.disk.create(partial(name, 'index'));
  }

  async write(name: FragmentName, file: 'data' | 'index', bytes: Buffer): Promise<void> {
    await this.disk.append(partial(name, file), bytes);
  }

  async seal(name: FragmentName, manifest: Manifest): Promise<void> {
    const { disk } = this;
    await disk.create(partial(name, 'manifest'));
    await disk.append(partial(name, 'manifest'), Buffer.from(JSON.stringify(manifest)));
    for (const file of FILES) {
      if (!this.habits.skipsSync || file !== 'data') await disk.sync(partial(name, file));
    }
    await disk.rename(partial(name, 'data'), pathOf(name, 'data'));
    await disk.rename(partial(name, 'index'), pathOf(name, 'index'));
    await disk.syncFolder(folderOf(name));
    await disk.rename(partial(name, 'manifest'), pathOf(name, 'manifest'));
    await disk.syncFolder(folderOf(name));
  }

  read(name: FragmentName, file: FragmentFile): Promise<Buffer> {
    return this.disk.read(pathOf(name, file));
  }

  async stat(name: FragmentName): Promise<StoredFragment | undefined> {
    const { disk } = this.disk;
    const path = pathOf(name, 'data');
    const data = [path, path + PARTIAL_SUFFIX].find((each) => disk.exists(each));
    if (!disk.exists(pathOf(name, 'manifest'))) {
      return data ? { state: 'partial', name, dataBytes: disk.read(data).length } : undefined;
    }
    const manifest = JSON.parse((await this.read(name, 'manifest')).toString()) as Manifest;
    const index = pathOf(name, 'index');
    const isWhole =
      data === path &&
      disk.read(data).length === manifest.storedBytes &&
      disk.exists(index) &&
      disk.read(index).length === manifest.indexBytes;
    return isWhole
      ? { state: 'sealed', name, manifest }
      : { state: 'damaged', name, reason: 'its files are missing or have other sizes' };
  }

  async settle(name: FragmentName): Promise<void> {
    if (this.habits.settlesNothing) return;
    await this.disk.syncFolder(folderOf(name));
  }

  async remove(grant: ConfirmedGrant, name: FragmentName): Promise<void> {
    const way = { from: folderOf(name), to: trashOf(grant.tombstoneId), steps: REMOVAL };
    await this.move(name, way);
  }

  async takeBack(tombstoneId: string, name: FragmentName): Promise<void> {
    const way = { from: trashOf(tombstoneId), to: folderOf(name), steps: RETURN };
    if (this.disk.disk.list(way.from).length > 0) await this.move(name, way);
  }

  async *trash(only?: string): AsyncIterable<TrashedFragment> {
    const { disk } = this.disk;
    for (const tombstoneId of only === undefined ? disk.list(TRASH) : [only]) {
      const folder = trashOf(tombstoneId);
      const names = disk.list(folder);
      const first = names.map(parseFileName).find((file) => file !== undefined);
      if (!first) continue;
      const { fragmentId, number } = first;
      const since = new Date(disk.changedAt(folder));
      const text = names.find((name) => parseFileName(name)?.file === 'manifest');
      const manifest = text && (JSON.parse(disk.read(`${folder}/${text}`).toString()) as Manifest);
      yield { tombstoneId, fragmentId, number, since, ...(manifest && { manifest }) };
    }
  }

  async *list(known: (fragmentId: string) => boolean): AsyncIterable<StoredFragment> {
    const { disk } = this.disk;
    for (const imageId of disk.list('images')) {
      for (const folder of disk.list(`images/${imageId}`)) {
        const copy = Number(folder.slice(1));
        const files = disk.list(`images/${imageId}/${folder}`).map(parseFileName);
        const names = new Map(
          files.flatMap((file): [string, number][] =>
            file ? [[file.fragmentId, file.number]] : [],
          ),
        );
        for (const [fragmentId, number] of names) {
          if (known(fragmentId)) continue;
          const found = await this.stat({ imageId, copy, number, fragmentId });
          if (found) yield found;
        }
      }
    }
  }

  async open(name: FragmentName): Promise<SealedFragmentReader> {
    const manifest = JSON.parse((await this.read(name, 'manifest')).toString()) as Manifest;
    const files = { data: await this.read(name, 'data'), index: await this.read(name, 'index') };
    return {
      manifest,
      size: (object) => files[object].length,
      read: async (object, offset, length) => files[object].subarray(offset, offset + length),
      close: async () => undefined,
    };
  }

  async emptyTrash(tombstoneId: string): Promise<void> {
    const folder = trashOf(tombstoneId);
    for (const file of this.disk.disk.list(folder)) await this.disk.remove(`${folder}/${file}`);
    await this.disk.syncFolder(folder);
  }

  /** What no program may do. */
  destroy(name: FragmentName): void {
    const { disk } = this.disk;
    for (const path of FILES.map((file) => pathOf(name, file))) {
      if (disk.exists(path)) disk.remove(path);
    }
  }

  private async move(
    name: FragmentName,
    way: { from: string; to: string; steps: readonly (readonly FragmentFile[])[] },
  ): Promise<void> {
    const { disk } = this;
    for (const files of way.steps) {
      for (const file of files) {
        const [source, target] = [way.from, way.to].map(
          (folder) => `${folder}/${fileName(name, file)}`,
        ) as [string, string];
        if (!disk.disk.exists(source)) continue;
        if (disk.disk.exists(target)) throw new Error(`${target} is there already`);
        await disk.rename(source, target);
      }
      await disk.syncFolder(way.to);
      await disk.syncFolder(way.from);
    }
  }
}

function folderOf(name: FragmentName): string {
  return copyFolder(name).join('/');
}

function trashOf(tombstoneId: string): string {
  return `${TRASH}/${tombstoneId}`;
}

function partial(name: FragmentName, file: FragmentFile): string {
  return pathOf(name, file) + PARTIAL_SUFFIX;
}
