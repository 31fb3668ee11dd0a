import { compareArchivePaths, isWithin } from '#archive/archive-order.js';
import type { ByteString } from '#archive/path-text.js';
import { codeOf } from '#kernel/errors.js';

import type { ExcludeTest } from '../../domain/excludes.js';
import type { Selection, SelectionTree } from '../../domain/selections.js';

import type { OpenEntry } from '../reader-state.js';
import type { EntryStore } from './entry-store.js';
import { emptyStat, type FileStat, type StatCalls } from './file-stat.js';
import type { FileSystems } from './file-systems.js';
import { wayTo, WalkedFolder, type OpenFolder } from './open-folder.js';
import { isGone, type ReaderContext } from './reader-context.js';

export interface WalkParts {
  readonly context: ReaderContext;
  readonly store: Pick<EntryStore, 'add' | 'keepWithin'>;
  readonly stats: StatCalls;
  readonly fileSystems: FileSystems;
  readonly excluded: ExcludeTest;
  readonly crossMountPoints: boolean;
  /** An entry behind which the walk goes on. Undefined: from the beginning. */
  readonly behind?: Pick<OpenEntry, 'path' | 'type'> | undefined;
}

/** Where an entry lies. */
interface EntryAt {
  /** The file system to stay on. */
  readonly device: string;
  /** The folder; undefined for a selection, which is reached by its path. */
  readonly folder: WalkedFolder | undefined;
}

/**
 * Walks selections in archive order, blocking. Stays on the file system of each selection unless told
 * otherwise. (Only folders are asked: on an overlay, files have other device numbers than their folders.)
 * Each folder is opened in the one above and what it holds is reached from there, so no symlink that takes a folder's
 * place meanwhile leads to anything. Memory: the names of one folder for each level of depth.
 */
export class Walk {
  readonly #stat: FileStat = emptyStat();
  /** Of what the entry at hand may lead to. */
  readonly #probe: FileStat = emptyStat();
  #inner: readonly Selection[] = [];
  /** Those of them that the walk has not come to. */
  #ahead = new Set<ByteString>();
  /** As an archive path; undefined once the walk is behind it. */
  #behind: ByteString | undefined;

  constructor(private readonly parts: WalkParts) {
    this.#behind = parts.behind?.path.slice(1);
  }

  /** Walks one selection, and those inside it that it does not reach by itself. */
  selection(tree: SelectionTree): void {
    this.#inner = tree.inner;
    const paths = tree.inner.map(({ path }) => path);
    this.#ahead = new Set(paths.filter((path) => !this.#wasPassed(path)));
    this.#start(tree);
    for (const path of this.#ahead) this.#missed(path);
  }

  #start(selection: Selection): void {
    const { path, follow } = selection;
    const { stats } = this.parts;
    this.#ahead.delete(path);
    if (this.#where(path) === 'done') return;
    try {
      if (follow) stats.stat(path, this.#stat);
      else stats.lstatMounted(path, this.#stat);
    } catch (error) {
      this.#lookFailed(path, error, 'does not exist');
      return;
    }
    const name = path.slice(path.lastIndexOf('/') + 1);
    const isFolder = this.#stat.type === 'd';
    if (this.parts.excluded(path, name, isFolder)) this.#startInner(path);
    else if (isFolder) {
      const open = () => WalkedFolder.ofSelection(selection, stats, this.#stat);
      this.#folder(path, { device: this.#stat.device, folder: undefined }, open);
    } else this.#other(path, undefined);
  }

  /** An earlier attempt has been behind it. */
  #wasPassed(path: ByteString): boolean {
    const [at, behind] = [path.slice(1), this.#behind];
    if (at === behind) return this.parts.behind?.type !== 'd';
    return behind !== undefined && !isWithin(behind, at) && compareArchivePaths(at, behind) < 0;
  }

  /**
   * Where an entry lies with regard to the one behind which the walk goes on. What is on the way was
   * stored before, as a folder; what it holds may not have been.
   */
  #where(path: ByteString): 'done' | 'on the way' | 'ahead' {
    if (this.#behind === undefined) return 'ahead';
    const at = path.slice(1);
    const wasFolder = at !== this.#behind || this.parts.behind?.type === 'd';
    if (isWithin(this.#behind, at)) return wasFolder ? 'on the way' : 'done';
    if (compareArchivePaths(at, this.#behind) < 0) return 'done';
    this.#behind = undefined; // and so is everything that comes
    return 'ahead';
  }

  #add(path: ByteString, folder: OpenFolder | undefined): void {
    if (this.#where(path) === 'ahead') this.parts.store.add(path, this.#stat, folder);
  }

  #visit(path: ByteString, name: ByteString, at: EntryAt & { folder: WalkedFolder }): void {
    const { context, excluded, stats } = this.parts;
    const folder = at.folder.folder!;
    if (this.#where(path) === 'done') return;
    if (excluded(path, name, undefined)) return this.#startInner(path);
    context.tick(path);
    try {
      const isSelected = this.#ahead.size > 0 && this.#ahead.has(path);
      if (isSelected) stats.lstatMounted(wayTo(path, folder), this.#stat);
      else if (stats.lstatIn) stats.lstatIn(folder.descriptor, { name, path }, this.#stat);
      else stats.lstat(wayTo(path, folder), this.#stat);
    } catch (error) {
      this.#lookFailed(path, error, 'vanished before it was read');
      return;
    }
    const isFolder = this.#stat.type === 'd';
    if ((isFolder || excluded.filesWait) && excluded(path, name, isFolder)) this.#startInner(path);
    else if (isFolder) this.#folder(path, at, () => at.folder.enter(path, stats, this.#stat));
    else this.#other(path, folder);
  }

  /** What is no folder. A symlink gives way to the selections that it leads to: they could not be restored beside it. */
  #other(path: ByteString, folder: OpenFolder | undefined): void {
    const inner = this.#stat.type === 'l' ? this.#innerWithin(path) : [];
    const meant = inner.filter((one) => one.path !== path || one.follow);
    if (!meant.some((one) => this.#mayBeThere(one))) {
      this.#ahead.delete(path);
      this.#add(path, folder);
      const leadsNowhere = meant.some((one) => one.path === path);
      if (leadsNowhere) this.parts.context.warn(path, 'is a symlink that leads to nothing');
      return;
    }
    const isNew = this.#where(path) === 'ahead';
    const what = 'is a symlink that leads to a selection, which is stored instead';
    if (isNew) this.parts.context.info(path, what);
    this.#startInner(path);
  }

  /** @param open opens it, and brings `#stat` up to date */
  #folder(path: ByteString, at: EntryAt, open: () => WalkedFolder): void {
    this.#ahead.delete(path);
    if (this.#isForeign(path, at)) return;
    let walked: WalkedFolder;
    try {
      walked = open();
    } catch (error) {
      this.#openFailed(path, at, error);
      return;
    }
    try {
      // What was opened may be another one than was looked at, or what an automounter has mounted there.
      if (!this.#isForeign(path, at)) this.#walkIn(path, walked, at);
    } finally {
      walked.leave(this.parts.stats);
    }
  }

  /** @param at where the folder itself lies */
  #walkIn(path: ByteString, walked: WalkedFolder, at: EntryAt): void {
    const { context, store } = this.parts;
    const { device } = this.#stat;
    let names: ByteString[];
    try {
      names = walked.folder!.names();
    } catch (error) {
      this.#openFailed(path, at, error);
      return;
    }
    this.#add(path, at.folder?.folder);
    names.sort();
    const prefix = path === '/' ? '/' : `${path}/`;
    for (const name of names) {
      if (walked.folder) this.#visit(prefix + name, name, { device, folder: walked });
      else {
        context.warn(path, 'was moved while it was read; the rest of it is not in the image');
        store.keepWithin(path);
        return;
      }
    }
  }

  #openFailed(path: ByteString, { folder }: EntryAt, error: unknown): void {
    const { context, store } = this.parts;
    if (codeOf(error) === 'ENOENT') {
      context.warn(path, 'vanished before it was read');
      return;
    }
    if (isGone(error)) {
      context.warn(path, 'became something else before it was read and is not in the image');
    } else {
      this.#add(path, folder?.folder);
      context.warnOfError(path, 'cannot be read; what it holds is not in the image', error);
    }
    store.keepWithin(path);
  }

  /** A file system that is not entered; only the folder on which it is mounted is stored. */
  #isForeign(path: ByteString, { device, folder }: EntryAt): boolean {
    if (this.#stat.device === device || this.#mayEnter(path, this.#stat.device)) return false;
    this.#add(path, folder?.folder);
    this.#startInner(path);
    return true;
  }

  #mayEnter(path: ByteString, device: string): boolean {
    const { context, crossMountPoints, fileSystems } = this.parts;
    if (this.#inner.some((selection) => selection.path === path)) return true;
    const isNew = this.#where(path) === 'ahead';
    if (!crossMountPoints) {
      if (isNew) context.info(path, 'is another file system and not entered');
      return false;
    }
    const type = fileSystems.typeOf(device, path);
    if (!fileSystems.isMadeUp(type)) return true;
    if (isNew) context.info(path, `is a file system of the kernel (${type}) and not entered`);
    return false;
  }

  /** Selections that lie below what is not entered, or there. */
  #startInner(path: ByteString): void {
    if (this.#ahead.size === 0) return;
    for (const inner of this.#innerWithin(path))
      if (this.#ahead.has(inner.path)) this.#start(inner);
  }

  #innerWithin(path: ByteString): readonly Selection[] {
    if (this.#ahead.size === 0) return [];
    const isBelow = (inner: ByteString) => isWithin(inner.slice(1), path.slice(1));
    return this.#inner.filter((inner) => this.#ahead.has(inner.path) && isBelow(inner.path));
  }

  /** The walk has not come to it, and it is too late to store it in its order. */
  #missed(path: ByteString): void {
    try {
      this.parts.stats.lstat(path, this.#stat);
      this.parts.context.warn(path, 'could not be reached and is not in the image');
    } catch (error) {
      this.#lookFailed(path, error, 'does not exist');
    }
  }

  /** False only if it is sure that nothing is there. */
  #mayBeThere({ path, follow }: Selection): boolean {
    try {
      if (follow) this.parts.stats.stat(path, this.#probe);
      else this.parts.stats.lstat(path, this.#probe);
      return true;
    } catch (error) {
      return !isGone(error) && codeOf(error) !== 'ELOOP';
    }
  }

  #lookFailed(path: ByteString, error: unknown, goneText: string): void {
    const { context, store } = this.parts;
    this.#ahead.delete(path);
    const failed = isGone(error) ? 'mounted' : 'looked at';
    if (isGone(error) && !this.#isThere(path)) {
      context.warn(path, goneText);
      return;
    }
    context.warnOfError(path, `cannot be ${failed} and is not in the image`, error);
    store.keepWithin(path);
  }

  /** Something that no link leads to, where an automounter may stand ready. */
  #isThere(path: ByteString): boolean {
    try {
      this.parts.stats.lstat(path, this.#stat);
      return this.#stat.type !== 'l';
    } catch {
      return false;
    }
  }
}
