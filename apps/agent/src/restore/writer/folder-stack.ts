import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path/posix';

import { isWithin } from '#archive/archive-order.js';
import { codeOf } from '#kernel/errors.js';
import { nativePath, type BytePath } from '../../posix/byte-path.js';
import { DESCRIPTORS, FOLDER_FLAGS, hasDescriptors } from '../../posix/descriptors.js';
import { getXattr } from '../../posix/posix.js';
import type { RestoreNotes } from '../restore-notes.js';
import type { Metadata, MetadataWriter } from './metadata.js';
import { LeftAlone, NotRestored, reasonOf, shown } from './not-restored.js';

/** Nobody else looks in before owner and mode are right. */
const MODE_WHILE_FILLED = 0o700;
/** What the system would give to a folder of which nothing is known. */
const MODE_OF_OTHERS = 0o777 & ~process.umask();

/** An open folder below the destination. */
export interface Level {
  /** Its path in the archive. */
  readonly path: BytePath;
  readonly fd: number;
  /** What a name (with a slash) is appended to, for a system call on an entry of the folder. */
  readonly base: BytePath;
  /** Put on the folder when everything in it is done. Of one that was there, what the archive has, never an index's line. */
  pending: Metadata | undefined;
  /** It may have attributes that are not of the restore's making. */
  readonly wasThere: boolean;
  /** New files get ACLs from this folder, which they must not keep. */
  readonly inheritsAcls: boolean;
  /** Who owns a file that is made here, as the first one showed. */
  newOwner: { readonly uid: number; readonly gid: number } | undefined;
  /** Files that somebody else makes in it: until they are there it stays open, and `pending` waits. */
  users: number;
}

/**
 * The folders from the destination to where the restore stands, all open. Each step down opens one name in an open folder and
 * follows no symlink, so nothing that stands in the tree (or is put there meanwhile) leads outside; and no path is too
 * long for the system. Memory and open files: the depth of the tree. Where there is no /proc the paths are whole, and the check
 * is only as good as the moment it is made.
 */
export class FolderStack {
  readonly #levels: Level[] = [];
  /** Folders on the way that were not asked for, by path: what they should be, if they have to be made. */
  readonly #parents: Metadata[] = [];
  /** Left, but files are still made in them. */
  readonly #inUse = new Map<BytePath, Level>();
  readonly #byDescriptor = hasDescriptors();
  readonly #destinationIsNew: boolean;

  constructor(
    private readonly options: { readonly destination: BytePath; readonly overwrite: boolean },
    private readonly metadata: MetadataWriter,
    private readonly notes: RestoreNotes,
  ) {
    const { destination } = options;
    this.#destinationIsNew = makeFolders(destination);
    // The destination itself is the user's word: its own symlinks are followed.
    const fd = openSync(nativePath(destination), constants.O_RDONLY | constants.O_DIRECTORY);
    // What it got from the folder that it lies in, if it is new, is no other than what was there.
    this.#push({ path: '', fd, whole: destination, isNew: false });
  }

  /** Remembers a folder that will be needed if anything below it is restored. */
  announceParent(entry: Metadata): void {
    while (this.#parents.length > 0 && !isWithin(entry.path, this.#parents.at(-1)!.path)) {
      this.#parents.pop();
    }
    this.#parents.push(entry);
  }

  /** The folder that holds a path, opened; made where it is missing. Leaves the folders that are not on the way. */
  enterFolderOf(path: BytePath): Level {
    const slash = path.lastIndexOf('/');
    return this.#enter(slash < 0 ? '' : path.slice(0, slash));
  }

  /** Makes (or reuses) a folder and stands in it. Its metadata follow when it is left. */
  makeFolder(entry: Metadata): void {
    if (entry.path === '') {
      this.#leaveAllBut('');
      if (this.#destinationIsNew || this.options.overwrite) this.#levels[0]!.pending = entry;
      return;
    }
    const above = this.enterFolderOf(entry.path);
    const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
    const isNew = this.#mkdir(above, name, true);
    const level = this.#descend(above, name, isNew);
    if (isNew || this.options.overwrite) level.pending = entry;
  }

  /** Opens the folder of a path that was restored before, without leaving where we are. */
  withFolderOf<T>(path: BytePath, use: (base: BytePath) => T): T {
    const slash = path.lastIndexOf('/');
    const folder = slash < 0 ? '' : path.slice(0, slash);
    const from = this.#levels.findLast((level) => isWithin(folder, level.path))!;
    const opened: number[] = [];
    try {
      let { base } = from;
      const below =
        folder === from.path ? '' : folder.slice(from.path === '' ? 0 : from.path.length + 1);
      for (const name of below === '' ? [] : below.split('/')) {
        const fd = openSync(nativePath(`${base}${name}`), FOLDER_FLAGS);
        opened.push(fd);
        base = this.#byDescriptor ? `${DESCRIPTORS}/${fd}/` : `${base}${name}/`;
      }
      return use(base);
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }

  /** One of a folder's `users` is through. */
  release(level: Level): void {
    level.users -= 1;
    if (level.users > 0 || this.#inUse.get(level.path) !== level) return;
    this.#inUse.delete(level.path);
    this.#end(level);
  }

  /** Leaves everything, when nobody makes files in it any more: all folders get their metadata. */
  finish(): void {
    while (this.#levels.length > 0) this.#leave();
  }

  #enter(folder: BytePath): Level {
    const top = this.#levels.at(-1)!;
    if (top.path === folder) return top;
    this.#leaveAllBut(folder);
    let level = this.#levels.at(-1)!;
    while (level.path !== folder) {
      const start = level.path === '' ? 0 : level.path.length + 1;
      const slash = folder.indexOf('/', start);
      const name = folder.slice(start, slash < 0 ? folder.length : slash);
      const isNew = this.#mkdir(level, name, false);
      level = this.#descend(level, name, isNew);
      if (!isNew) continue;
      level.pending = this.#parents.find(({ path }) => path === level.path);
      // It lies above all that was backed up: nothing says what it was like.
      if (level.pending === undefined) fchmodSync(level.fd, MODE_OF_OTHERS);
    }
    return level;
  }

  /** Makes a folder; true if it was not there. */
  #mkdir(above: Level, name: string, mayReplace: boolean): boolean {
    const path = `${above.base}${name}`;
    try {
      mkdirSync(nativePath(path), MODE_WHILE_FILLED);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    if (lstatSync(nativePath(path)).isDirectory()) return false;
    const what = 'something that is not a folder is in its place';
    if (!mayReplace) throw new NotRestored(what);
    if (!this.options.overwrite) throw new LeftAlone(what);
    unlinkSync(nativePath(path));
    mkdirSync(nativePath(path), MODE_WHILE_FILLED);
    return true;
  }

  #descend(above: Level, name: string, isNew: boolean): Level {
    const whole = `${above.base}${name}`;
    if (isNew && above.inheritsAcls) this.metadata.clearAcls(whole);
    const path = above.path === '' ? name : `${above.path}/${name}`;
    const left = isNew ? undefined : this.#inUse.get(path);
    if (left) {
      this.#inUse.delete(path);
      this.#levels.push(left);
      return left;
    }
    return this.#push({ path, fd: openFolder(whole), whole, isNew });
  }

  #push(folder: { path: BytePath; fd: number; whole: BytePath; isNew: boolean }): Level {
    const { path, fd, whole, isNew } = folder;
    const base = this.#byDescriptor ? `${DESCRIPTORS}/${fd}/` : whole === '/' ? whole : `${whole}/`;
    const inheritsAcls = !isNew && getXattr(base, 'system.posix_acl_default') !== undefined;
    const unknown = { pending: undefined, newOwner: undefined };
    const level: Level = { path, fd, base, inheritsAcls, wasThere: !isNew, users: 0, ...unknown };
    this.#levels.push(level);
    return level;
  }

  #leaveAllBut(folder: BytePath): void {
    while (this.#levels.length > 1 && !isWithin(folder, this.#levels.at(-1)!.path)) this.#leave();
  }

  #leave(): void {
    const level = this.#levels.pop()!;
    if (level.users > 0) this.#inUse.set(level.path, level);
    else this.#end(level);
  }

  #end(level: Level): void {
    const { fd, base, pending, wasThere } = level;
    try {
      const stripped = wasThere ? base : undefined;
      if (pending !== undefined) this.metadata.applyToOpen(fd, pending, { stripped });
    } catch (error) {
      const text = `${shown(level.path)}: the folder's metadata are not restored: ${reasonOf(error)}.`;
      this.notes.add({ text, lost: true });
    } finally {
      closeSync(level.fd);
    }
  }
}

/**
 * Makes a folder and those above it; true if it was not there. Not by Node's `recursive`, which tries for ever where
 * the system says ENOENT of a folder whose parent is there, as below /proc.
 */
function makeFolders(path: BytePath): boolean {
  try {
    mkdirSync(nativePath(path));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    const above = dirname(path);
    if (codeOf(error) !== 'ENOENT' || existsSync(nativePath(above))) throw error;
    makeFolders(above);
    mkdirSync(nativePath(path));
    return true;
  }
}

function openFolder(path: BytePath): number {
  try {
    return openSync(nativePath(path), FOLDER_FLAGS);
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'ELOOP' && code !== 'ENOTDIR') throw error;
    throw new NotRestored('something that is not a folder is in its place');
  }
}

/** Removes an empty folder that stands where a file has to go. */
export function removeEmptyFolder(path: BytePath): void {
  try {
    rmdirSync(nativePath(path));
  } catch (error) {
    if (codeOf(error) !== 'ENOTEMPTY') throw error;
    throw new NotRestored('a folder that is not empty is in its place');
  }
}
