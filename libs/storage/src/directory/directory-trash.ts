import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '#kernel/assert.js';
import type { ConfirmedGrant } from '../confirmed-grant.js';
import { hostError, writeError } from '../errors.js';
import {
  copyFolder,
  fileName,
  isFragmentId,
  parseFileName,
  type FragmentFile,
  type FragmentName,
} from '../fragment-name.js';
import type { TrashedFragment } from '../fragment-store.js';
import { parseManifest } from '../manifest-check.js';
import { namesIn, readIfThere, Unread } from './read-folder.js';
import type { DurableFolders } from './durable-folders.js';
import { isFolder, statIfThere, syncFolder } from './sync-folder.js';

/** Beside `images`, so that moving there copies nothing and no listing meets it. */
const TRASH = '.trash';

/** Step by step, each durable before the next: a fragment is there when its manifest is. */
const REMOVAL: readonly (readonly FragmentFile[])[] = [['manifest'], ['index', 'data', 'recipe']];
const RETURN: readonly (readonly FragmentFile[])[] = [['data', 'recipe', 'index'], ['manifest']];

/**
 * The trash of one volume: `.trash/<tombstone>/` holds the files of the fragment whose deletion that
 * tombstone granted. This is the one place of Holdfast that takes fragments away: out of sight with
 * the grant in hand, and for good only out of the trash. (Chunks that no fragment needs go by
 * `ContainerFiles.drop`.)
 */
export class DirectoryTrash {
  constructor(
    private readonly folder: string,
    private readonly durable: DurableFolders,
  ) {}

  /** See `FragmentStore.remove`. */
  async remove(grant: ConfirmedGrant, name: FragmentName): Promise<void> {
    assert(grant.fragmentId === name.fragmentId, 'a grant for another fragment');
    assert(isFragmentId(grant.tombstoneId), 'a tombstone whose id is none');
    const from = join(this.folder, ...copyFolder(name));
    try {
      await this.durable.use(async () => {
        if (!(await isFolder(from))) return;
        const { folder: to } = await this.durable.make(this.folder, [TRASH, grant.tombstoneId]);
        await this.move(name, { from, to, steps: REMOVAL });
      });
    } catch (error) {
      throw writeError(this.folder, error);
    }
  }

  /** See `FragmentStore.takeBack`. */
  async takeBack(tombstoneId: string, name: FragmentName): Promise<void> {
    const from = this.pathOf(tombstoneId);
    if (!(await isFolder(from))) return;
    try {
      await this.durable.use(async () => {
        const { folder: to } = await this.durable.make(this.folder, copyFolder(name));
        await this.move(name, { from, to, steps: RETURN });
      });
    } catch (error) {
      throw writeError(this.folder, error);
    }
  }

  /** See `FragmentStore.trash`. */
  async *list(only?: string): AsyncIterable<TrashedFragment> {
    const names = only === undefined ? await namesIn(join(this.folder, TRASH)) : [only];
    const unread = new Unread();
    for (const tombstoneId of names.filter(isFragmentId)) {
      const found = await unread.pass(() => this.look(tombstoneId));
      if (found) yield found;
    }
    unread.expectNone();
  }

  /**
   * See `FragmentStore.emptyTrash`. Nothing outside the folder of the tombstone can be named. The folders of
   * a copy and an image that have nothing left go with it, and not before: what comes back out of the trash
   * must not need inodes then.
   */
  async empty(tombstoneId: string): Promise<void> {
    const path = this.pathOf(tombstoneId);
    try {
      const manifest = (await this.look(tombstoneId))?.manifest;
      await rm(path, { recursive: true, force: true });
      if (await isFolder(join(this.folder, TRASH))) await syncFolder(join(this.folder, TRASH));
      if (manifest) await this.durable.removeEmpty(this.folder, copyFolder(manifest));
    } catch (error) {
      throw writeError(this.folder, error);
    }
  }

  /** Moves what is there. */
  private async move(
    name: FragmentName,
    way: { from: string; to: string; steps: readonly (readonly FragmentFile[])[] },
  ): Promise<void> {
    for (const files of way.steps) {
      for (const file of files) {
        const source = join(way.from, fileName(name, file));
        const target = join(way.to, fileName(name, file));
        if (!(await statIfThere(source))) continue;
        // A rename would replace it. Two files of one fragment are nothing to guess at.
        if (await statIfThere(target)) throw new Error(`${target} is there already`);
        await rename(source, target);
      }
      await syncFolder(way.to);
      await syncFolder(way.from);
    }
  }

  private async look(tombstoneId: string): Promise<TrashedFragment | undefined> {
    const path = this.pathOf(tombstoneId);
    const files = (await namesIn(path)).map(parseFileName).filter((one) => one !== undefined);
    const [first] = files;
    // It may be emptied meanwhile.
    const folder = first && (await statIfThere(path));
    if (!folder) return undefined;
    const { fragmentId, number } = first;
    const since = new Date(Number(folder.mtimeMs));
    const found = files.some(({ file }) => file === 'manifest')
      ? await manifestIn(path, { fragmentId, number })
      : undefined;
    return { tombstoneId, fragmentId, number, since, ...found };
  }

  private pathOf(tombstoneId: string): string {
    assert(isFragmentId(tombstoneId), 'a tombstone whose id is none');
    return join(this.folder, TRASH, tombstoneId);
  }
}

/** The manifest of a fragment in the trash, if it can be read. Throws `HostExhausted`. */
async function manifestIn(
  folder: string,
  found: Pick<FragmentName, 'fragmentId' | 'number'>,
): Promise<Pick<TrashedFragment, 'manifest' | 'isUnreadable'>> {
  const path = join(folder, fileName(found, 'manifest'));
  let text: string | undefined;
  try {
    text = await readIfThere(path);
  } catch (error) {
    const short = hostError(path, error);
    if (short) throw short;
    return { isUnreadable: true };
  }
  const parsed = text === undefined ? undefined : parseManifest(text);
  const same = parsed?.fragmentId === found.fragmentId && parsed.number === found.number;
  return same ? { manifest: parsed } : {};
}
