import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';

import type { ArchiveEntry } from '#archive/archive-entry.js';
import { codeOf } from '#kernel/errors.js';
import { nativePath, type BytePath } from '../../posix/byte-path.js';
import { NEW_FILE_FLAGS } from '../../posix/new-file.js';
import { deviceNumber, mkfifo, mknod } from '../../posix/posix.js';
import { removeEmptyFolder, type Level } from './folder-stack.js';
import { LARGE_BYTES_MIN, LargeContent, writeAll } from './large-content.js';
import type { MetadataWriter } from './metadata.js';
import { LeftAlone, NotRestored } from './not-restored.js';

const MODE_WHILE_WRITTEN = 0o600;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
/** Of chance: another restore may write to the same folder, and one that was killed may have left a file. */
const TEMPORARY_BYTES = 8;

/** A file that is being written. */
interface OpenFile {
  readonly fd: number;
  readonly path: BytePath;
  /** Where it goes in the end, if something of its name is there until then. */
  readonly final: BytePath;
  readonly entry: ArchiveEntry;
  readonly level: Level;
  /** It was made with the mode that it should have. */
  readonly isMode: boolean;
  readonly isLarge: boolean;
}

/**
 * Makes everything but folders. A file appears under its name whole or not at all: a new one is removed again when it cannot be
 * finished, and one that replaces another is written beside it and then renamed over it.
 */
export class FileMaker {
  #open: OpenFile | undefined;
  readonly #large = new LargeContent();
  #bytes = 0;

  constructor(
    private readonly metadata: MetadataWriter,
    private readonly overwrite: boolean,
  ) {}

  /** Bytes of content written so far. */
  get bytesWritten(): number {
    return this.#bytes;
  }

  /** Begins a regular file. @throws LeftAlone, NotRestored, or the system's error. */
  begin(level: Level, name: string, entry: ArchiveEntry): void {
    const final = `${level.base}${name}`;
    let fd = -1;
    const isMode = this.metadata.comesWithMode(entry, level);
    const mode = isMode ? entry.mode : MODE_WHILE_WRITTEN;
    const path = this.#create(level, name, (at) => {
      fd = openSync(nativePath(at), NEW_FILE_FLAGS, mode);
    });
    level.newOwner ??= fstatSync(fd);
    const isLarge = entry.size >= LARGE_BYTES_MIN;
    if (isLarge) this.#large.begin(fd);
    this.#open = { fd, path, final, entry, level, isMode, isLarge };
  }

  /** Writes a piece of the open file. Not on Node's pool: the kernel lets one thread at a time write to a file. */
  write(bytes: Buffer, offset: number): void {
    const { fd, isLarge } = this.#open!;
    if (isLarge) this.#large.write(bytes, offset);
    else writeAll(fd, bytes, offset);
    this.#bytes += bytes.length;
  }

  finish(): void {
    const { fd, path, final, entry, level, isMode, isLarge } = this.#open!;
    if (isLarge) {
      this.#large.end();
      this.#large.close();
    }
    if (entry.sparse !== undefined) ftruncateSync(fd, entry.size);
    this.metadata.applyToOpen(fd, entry, {
      owner: level.newOwner,
      isMode,
      inheritedAcls: level.inheritsAcls ? path : undefined,
    });
    this.#open = undefined;
    orRemove(path, () => {
      closeSync(fd);
      if (path !== final) renameSync(nativePath(path), nativePath(final));
    });
  }

  /** Takes back the file that was begun, if one was. */
  abandon(): void {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    try {
      if (open.isLarge) this.#large.close();
      closeSync(open.fd);
    } finally {
      unlinkSync(nativePath(open.path));
    }
  }

  /** Makes a symlink, fifo or device. */
  make(level: Level, name: string, entry: ArchiveEntry): void {
    const final = `${level.base}${name}`;
    const isSymlink = entry.type === 'l';
    const path = this.#create(level, name, (at) => makeNode(at, entry));
    orRemove(path, () => {
      if (level.inheritsAcls && !isSymlink) this.metadata.clearAcls(path);
      this.metadata.applyToPath(path, entry, isSymlink);
      if (path !== final) renameSync(nativePath(path), nativePath(final));
    });
  }

  /** Makes a hard link to a path that was restored before. */
  link(level: Level, name: string, target: BytePath): void {
    const final = `${level.base}${name}`;
    const path = this.#create(level, name, (at) => linkSync(nativePath(target), nativePath(at)));
    if (path === final) return;
    orRemove(path, () => renameSync(nativePath(path), nativePath(final)));
    // Renaming one link of a file over another does nothing, and leaves both.
    unlinkIfThere(path);
  }

  /**
   * Runs `create` with the path to create at: the name itself, or one beside it when a file is there that may be
   * replaced. Gives that path back.
   */
  #create(level: Level, name: string, create: (path: BytePath) => void): BytePath {
    const final = `${level.base}${name}`;
    try {
      create(final);
      return final;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    if (!this.overwrite) throw new LeftAlone('something of that name is there');
    if (lstatSync(nativePath(final)).isDirectory()) {
      removeEmptyFolder(final);
      create(final);
      return final;
    }
    const beside = `${level.base}.holdfast-${randomBytes(TEMPORARY_BYTES).toString('hex')}`;
    create(beside);
    return beside;
  }
}

function makeNode(path: BytePath, entry: ArchiveEntry): void {
  const { deviceMajor: major, deviceMinor: minor } = entry;
  if (entry.type === 'l') symlinkSync(nativePath(entry.linkTarget), nativePath(path));
  else if (entry.type === 'p') mkfifo(path, MODE_WHILE_WRITTEN);
  else if (entry.type === 'c')
    mknod(path, S_IFCHR | MODE_WHILE_WRITTEN, deviceNumber(major, minor));
  else if (entry.type === 'b')
    mknod(path, S_IFBLK | MODE_WHILE_WRITTEN, deviceNumber(major, minor));
  else throw new NotRestored(`entries of type "${entry.type}" are not made this way`);
}

/** Does the last steps of making a file, and removes it where they fail. */
function orRemove(path: BytePath, finish: () => void): void {
  try {
    finish();
  } catch (error) {
    unlinkSync(nativePath(path));
    throw error;
  }
}

function unlinkIfThere(path: BytePath): void {
  try {
    unlinkSync(nativePath(path));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
