import { closeSync, constants, openSync, readdirSync } from 'node:fs';

import { toSystemPath, type ByteString } from '#archive/path-text.js';
import { assert } from '#kernel/assert.js';

import { DESCRIPTORS, FOLDER_FLAGS, hasDescriptors } from '../../posix/descriptors.js';
import { errnoOf, SystemCallError } from '../../posix/libc.js';

import { emptyStat, type FileStat, type StatCalls } from './file-stat.js';
import { linuxCalls } from './linux-calls.js';

/** Levels of folders that stay open while the walk is below them. Of those that lie deeper only the two innermost are open. */
const HELD_LEVELS_MAX = 64;
/** The system takes no longer paths (PATH_MAX), nor does the walk go where nobody else comes by a path. */
const PATH_BYTES_MAX = 4_095;

/** In a `struct linux_dirent64`: where its length lies, and its name with a NUL behind it. */
const ENTRY_LENGTH = 16;
const ENTRY_NAME = 19;

const BY_DESCRIPTOR = hasDescriptors();
const entries = Buffer.allocUnsafeSlow(32 * 1024);
const opened = emptyStat();
let openFolders = 0;

/** How many folders this thread holds open. */
export function openFolderCount(): number {
  return openFolders;
}

/**
 * A folder that is held open, so that what lies in it is reached from there: wherever its path may lead by then, to a folder
 * that was put in its place, or along a symlink. It is closed when the last of its users lets go. (Where there is no /proc
 * the way is the whole path, which is only as good as the moment.)
 */
export class OpenFolder {
  /** What a name is appended to, for a system call on what lies in the folder. */
  readonly base: ByteString;
  #users = 1;

  constructor(
    readonly descriptor: number,
    path: ByteString,
  ) {
    if (BY_DESCRIPTOR) this.base = `${DESCRIPTORS}/${descriptor}/`;
    else this.base = path === '/' ? '/' : `${path}/`;
    openFolders += 1;
  }

  /**
   * The names of what lies in it, in no order; to be asked once. Node's own call would open the folder again.
   * @throws as `readdir` does
   */
  names(): ByteString[] {
    if (!linuxCalls) return readdirSync(toSystemPath(this.base), 'latin1');
    const names: ByteString[] = [];
    for (;;) {
      const bytes = linuxCalls.getdents64(this.descriptor, entries, entries.length);
      if (bytes < 0) throw new SystemCallError('getdents64', linuxCalls.errno());
      if (bytes === 0) return names;
      for (let at = 0; at < bytes; at += entries.readUInt16LE(at + ENTRY_LENGTH)) {
        const start = at + ENTRY_NAME;
        let end = start;
        while (entries[end] !== 0) end += 1;
        const name = entries.toString('latin1', start, end);
        if (name !== '.' && name !== '..') names.push(name);
      }
    }
  }

  keep(): this {
    this.#users += 1;
    return this;
  }

  letGo(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    openFolders -= 1;
    closeSync(this.descriptor);
  }
}

/** The way to an entry for a system call. @param folder the one in which it lies; undefined: by its whole path */
export function wayTo(path: ByteString, folder: OpenFolder | undefined): ByteString {
  return folder === undefined ? path : folder.base + path.slice(path.lastIndexOf('/') + 1);
}

/** A folder that the walk is in. Call `leave` at its end. */
export class WalkedFolder {
  readonly #inode: FileStat['inode'];
  readonly #device: string;
  readonly #level: number;

  private constructor(
    private readonly path: ByteString,
    private open: OpenFolder | undefined,
    private readonly above: WalkedFolder | undefined,
    { inode, device }: FileStat,
  ) {
    this.#inode = inode;
    this.#device = device;
    this.#level = above === undefined ? 0 : above.#level + 1;
  }

  /**
   * Opens the folder of a selection, along whatever symlinks lead to it, and fills in its `stat`.
   * @param follow it may be a symlink itself
   * @throws as `open` does
   */
  static ofSelection(
    { path, follow }: { path: ByteString; follow: boolean },
    stats: StatCalls,
    stat: FileStat,
  ): WalkedFolder {
    const flags = follow ? FOLDER_FLAGS & ~constants.O_NOFOLLOW : FOLDER_FLAGS;
    return new WalkedFolder(path, openFolder(path, path, { flags, stats, stat }), undefined, stat);
  }

  /** The folder itself. Undefined once it was moved away while the walk was far below it. */
  get folder(): OpenFolder | undefined {
    return this.open;
  }

  /**
   * Opens a folder in it, following no symlink, and fills in its `stat`, which is that of what is read then.
   * @throws as `open` does: ENOTDIR where it is no folder any more
   */
  enter(path: ByteString, stats: StatCalls, stat: FileStat): WalkedFolder {
    assert(this.open !== undefined, 'nothing is entered from a folder that is closed');
    if (path.length > PATH_BYTES_MAX) {
      throw new SystemCallError('open', errnoOf('ENAMETOOLONG'), path);
    }
    const open = openFolder(path, wayTo(path, this.open), { flags: FOLDER_FLAGS, stats, stat });
    if (this.#level > HELD_LEVELS_MAX) this.above?.close();
    return new WalkedFolder(path, open, this, stat);
  }

  /** Goes back to the folder above. */
  leave(stats: StatCalls): void {
    const { above } = this;
    if (above && !above.open) above.openFrom(this, stats);
    this.close();
  }

  /** It is where the folder below says that it lies, unless that was moved. */
  private openFrom({ open }: WalkedFolder, stats: StatCalls): void {
    if (!open) return;
    try {
      const way = BY_DESCRIPTOR ? `${open.base}..` : this.path;
      const again = openFolder(this.path, way, { flags: FOLDER_FLAGS, stats, stat: opened });
      if (opened.inode === this.#inode && opened.device === this.#device) this.open = again;
      else again.letGo();
    } catch {
      // It may not be entered any more. Whoever wants something of it finds it closed.
    }
  }

  private close(): void {
    this.open?.letGo();
    this.open = undefined;
  }
}

function openFolder(
  path: ByteString,
  way: ByteString,
  { flags, stats, stat }: { flags: number; stats: StatCalls; stat: FileStat },
): OpenFolder {
  const folder = new OpenFolder(openSync(toSystemPath(way), flags), path);
  try {
    stats.fstat(folder.descriptor, stat);
  } catch (error) {
    folder.letGo();
    throw error;
  }
  return folder;
}
