import { blake3 } from '@napi-rs/blake-hash';
import type { Manifest } from '#archive/manifest.js';
import {
  copyFolder,
  fileName,
  PARTIAL_SUFFIX,
  type FragmentFile,
  type FragmentName,
} from '#storage/fragment-name.js';
import type { DiskLink } from './disk-link.js';

export const FILES: readonly FragmentFile[] = ['data', 'index', 'manifest'];

/** Where a file of a fragment has its place. */
export function pathOf(name: FragmentName, file: FragmentFile): string {
  return `${copyFolder(name).join('/')}/${fileName(name, file)}`;
}

/** Where a tombstone's files lie until the trash is emptied. */
export function trashPath(tombstoneId: string, name: FragmentName, file: FragmentFile): string {
  return `.trash/${tombstoneId}/${fileName(name, file)}`;
}

export function digestOf(bytes: Buffer): string {
  return blake3(bytes).toString('hex');
}

/**
 * The files of fragments, written as the real store does it: under temporary names, synced, then data
 * and index get theirs, the folder is synced, and the manifest appears last.
 */
export class FragmentFiles {
  constructor(
    private readonly disk: DiskLink,
    /** Off in a world that is meant to fail. */
    private readonly syncsData: boolean,
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
    const folder = copyFolder(name).join('/');
    await disk.create(partial(name, 'manifest'));
    await disk.append(partial(name, 'manifest'), Buffer.from(JSON.stringify(manifest)));
    for (const file of FILES) {
      if (this.syncsData || file !== 'data') await disk.sync(partial(name, file));
    }
    await disk.rename(partial(name, 'data'), pathOf(name, 'data'));
    await disk.rename(partial(name, 'index'), pathOf(name, 'index'));
    await disk.syncFolder(folder);
    await disk.rename(partial(name, 'manifest'), pathOf(name, 'manifest'));
    await disk.syncFolder(folder);
  }

  /** The manifest of a sealed fragment. */
  async manifest(name: FragmentName): Promise<Manifest | undefined> {
    const path = pathOf(name, 'manifest');
    if (!this.disk.disk.exists(path)) return undefined;
    return JSON.parse((await this.disk.read(path)).toString()) as Manifest;
  }

  /** What the medium shows, read whole. */
  async state(name: FragmentName, digest: string): Promise<'whole' | 'missing' | 'damaged'> {
    if (!FILES.every((file) => this.disk.disk.exists(pathOf(name, file)))) return 'missing';
    return digestOf(await this.disk.read(pathOf(name, 'data'))) === digest ? 'whole' : 'damaged';
  }

  read(name: FragmentName, file: 'data' | 'index'): Promise<Buffer> {
    return this.disk.read(pathOf(name, file));
  }

  /** Moves what is there to the tombstone's folder; what was moved before stays there. */
  async moveToTrash(name: FragmentName, tombstoneId: string): Promise<void> {
    const { disk } = this;
    for (const file of [...FILES].reverse()) {
      const path = pathOf(name, file);
      if (disk.disk.exists(path)) await disk.rename(path, trashPath(tombstoneId, name, file));
    }
    await disk.syncFolder(`.trash/${tombstoneId}`);
    await disk.syncFolder(copyFolder(name).join('/'));
  }

  /** Puts back what lies in the tombstone's folder, the manifest last. */
  async takeBack(name: FragmentName, tombstoneId: string): Promise<void> {
    const { disk } = this;
    for (const file of FILES) {
      const path = trashPath(tombstoneId, name, file);
      if (disk.disk.exists(path)) await disk.rename(path, pathOf(name, file));
    }
    await disk.syncFolder(copyFolder(name).join('/'));
    await disk.syncFolder(`.trash/${tombstoneId}`);
  }
}

function partial(name: FragmentName, file: FragmentFile): string {
  return pathOf(name, file) + PARTIAL_SUFFIX;
}
