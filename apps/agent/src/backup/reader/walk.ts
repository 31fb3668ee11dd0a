import { closeSync, constants, openSync, readdirSync } from 'node:fs';

import { compareArchivePaths, isWithin } from '#archive/archive-order.js';
import { toSystemPath, type ByteString } from '#archive/path-text.js';

import type { ExcludeTest } from '../../domain/excludes.js';
import type { Selection, SelectionTree } from '../../domain/selections.js';

import type { OpenEntry } from '../reader-state.js';
import type { EntryStore } from './entry-store.js';
import { emptyStat, type FileStat, type StatCalls } from './file-stat.js';
import type { FileSystems } from './file-systems.js';
import { isGone, type ReaderContext } from './reader-context.js';

/** A folder of fewer names is not held open: opening it costs more than the way to each. */
const HELD_NAMES_MIN = 8;
/** Folders that are held open, one in the other; what lies deeper is reached by its path. */
const HELD_MAX = 64;

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

/** `O_NOFOLLOW`: should it have become a link since, nothing is looked at where that leads. */
const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** The folder in which an entry lies. */
interface FolderAt {
  /** The file system to stay on. */
  readonly device: string;
  /** If it is held open. */
  readonly open: number | undefined;
}

/**
 * Walks selections in archive order, blocking. Stays on the file system of each selection unless told
 * otherwise. (Only folders are asked: on an overlay, files have other device numbers than their folders.)
 * Memory: the names of one folder for each level of depth.
 */
export class Walk {
  readonly #stat: FileStat = emptyStat();
  #inner: readonly Selection[] = [];
  /** Those of them that the walk has not come to. */
  #ahead = new Set<ByteString>();
  /** As an archive path; undefined once the walk is behind it. */
  #behind: ByteString | undefined;
  #held = 0;

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

  #start({ path, follow }: Selection): void {
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
    else if (isFolder) this.#folder(path, this.#stat.device);
    else this.#other(path);
  }

  /** An earlier attempt has been behind it. */
  #wasPassed(path: ByteString): boolean {
    const [at, behind] = [path.slice(1), this.#behind];
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

  #add(path: ByteString): void {
    if (this.#where(path) === 'ahead') this.parts.store.add(path, this.#stat);
  }

  #visit(path: ByteString, name: ByteString, { device, open }: FolderAt): void {
    const { context, excluded, stats } = this.parts;
    if (this.#where(path) === 'done') return;
    if (excluded(path, name, undefined)) return this.#startInner(path);
    context.tick(path);
    try {
      if (this.#ahead.size > 0 && this.#ahead.has(path)) stats.lstatMounted(path, this.#stat);
      else if (open !== undefined) stats.lstatIn!(open, { name, path }, this.#stat);
      else stats.lstat(path, this.#stat);
    } catch (error) {
      this.#lookFailed(path, error, 'vanished before it was read');
      return;
    }
    const isFolder = this.#stat.type === 'd';
    if ((isFolder || excluded.filesWait) && excluded(path, name, isFolder)) this.#startInner(path);
    else if (isFolder) this.#folder(path, device);
    else this.#other(path);
  }

  /** What is no folder. A symlink gives way to the selections that it leads to: they could not be restored beside it. */
  #other(path: ByteString): void {
    const leads = ({ path: inner, follow }: Selection) => inner !== path || follow;
    if (this.#stat.type !== 'l' || !this.#innerWithin(path).some(leads)) {
      this.#ahead.delete(path);
      this.#add(path);
      return;
    }
    const isNew = this.#where(path) === 'ahead';
    const what = 'is a symlink that leads to a selection, which is stored instead';
    if (isNew) this.parts.context.info(path, what);
    this.#startInner(path);
  }

  /** @param device the file system to stay on */
  #folder(path: ByteString, device: string): void {
    const { context, store } = this.parts;
    const own = this.#stat.device;
    this.#ahead.delete(path);
    if (own !== device && !this.#mayEnter(path, own)) {
      this.#add(path);
      this.#startInner(path);
      return;
    }
    let names: ByteString[];
    try {
      names = readdirSync(toSystemPath(path), 'latin1');
    } catch (error) {
      if (isGone(error)) {
        context.warn(path, 'vanished before it was read');
        return;
      }
      this.#add(path);
      context.warnOfError(path, 'cannot be read; what it holds is not in the image', error);
      store.keepWithin(path);
      return;
    }
    this.#add(path);
    names.sort();
    const prefix = path === '/' ? '/' : `${path}/`;
    const open = names.length < HELD_NAMES_MIN ? undefined : this.#hold(path);
    try {
      for (const name of names) this.#visit(prefix + name, name, { device: own, open });
    } finally {
      if (open !== undefined) this.#letGo(open);
    }
  }

  /** Undefined if that is of no use, or cannot be. */
  #hold(path: ByteString): number | undefined {
    if (this.#held >= HELD_MAX || !this.parts.stats.lstatIn) return undefined;
    try {
      const open = openSync(toSystemPath(path), FOLDER_FLAGS);
      this.#held += 1;
      return open;
    } catch {
      return undefined;
    }
  }

  #letGo(open: number): void {
    this.#held -= 1;
    closeSync(open);
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
