import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  openSync,
} from 'node:fs';

import { aclFromText } from '#archive/acl-text.js';
import type { ArchiveEntry } from '#archive/archive-entry.js';
import { splitNanoseconds } from '#archive/nanoseconds.js';
import { codeOf } from '#kernel/errors.js';
import { nativePath, type BytePath } from '../../posix/byte-path.js';
import {
  capabilities,
  listXattrs,
  removeXattr,
  setTimes,
  setTimesOfOpenFile,
  setXattr,
  setXattrOfOpenFile,
} from '../../posix/posix.js';
import type { RestoreNotes } from '../restore-notes.js';
import type { PlannedEntry } from '../restore-plan.js';
import { reasonOf, shown } from './not-restored.js';

/** What is put on a file after its content. */
export type Metadata = Pick<
  ArchiveEntry,
  | 'path'
  | 'mode'
  | 'uid'
  | 'gid'
  | 'mtimeSeconds'
  | 'mtimeNanos'
  | 'xattrs'
  | 'aclAccess'
  | 'aclDefault'
>;

/** What is known of a file or folder. */
export interface CurrentMetadata {
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** It has the mode that it should have. */
  readonly isMode?: boolean;
  /** The file's path, if it got ACLs from its folder that it must not keep. */
  readonly inheritedAcls?: BytePath | undefined;
  /** The path of a folder that was there: attributes and ACLs that the entry does not have are taken away. */
  readonly stripped?: BytePath | undefined;
}

const SET_ID_BITS = 0o6000;
const OWNER_WRITES = 0o200;
const O_PATH = 0o10000000;
const ACL_ACCESS = 'system.posix_acl_access';
const ACL_DEFAULT = 'system.posix_acl_default';
/**
 * Of the other namespaces something may be on new files, too: labels of security modules, properties of a file system and
 * views of what it holds (btrfs, NFS, SMB).
 */
const PUT_ON_BY_USERS = new Set(['user', 'trusted']);

/** The process's: what a new file is not given, whatever is asked for. */
const UMASK = process.umask();

/** What a new file gets from its folder. */
export interface MadeIn {
  readonly newOwner: CurrentMetadata['owner'];
  readonly inheritsAcls: boolean;
}

const mtimeOf = ({ mtimeSeconds, mtimeNanos }: Metadata): bigint =>
  BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanos);

/**
 * Puts owners, extended attributes, modes, ACLs and times on what was restored. What this user or this file system cannot
 * hold is noted once and passed over. Order matters: a change of owner clears setuid and capabilities, an ACL changes the mode.
 */
export class MetadataWriter {
  readonly #privileged = process.geteuid?.() === 0;
  readonly #uid = process.geteuid?.();

  constructor(private readonly notes: RestoreNotes) {}

  /**
   * True if a new file may be made with the mode that it should have, which saves a system call: whoever can read
   * it while it is written may read it afterwards, too. Its owner has to be let write for extended attributes.
   */
  comesWithMode(entry: Metadata, { newOwner, inheritsAcls }: MadeIn): boolean {
    const isPlain = (entry.mode & (SET_ID_BITS | UMASK)) === 0 && entry.aclAccess === undefined;
    const isMarkable = entry.xattrs === undefined || (entry.mode & OWNER_WRITES) !== 0;
    return isPlain && isMarkable && !inheritsAcls && isOwner(newOwner, entry);
  }

  /** True if nothing but its times is to be put on a new file that was made with its mode. */
  isTimeAlone(entry: Metadata & Pick<ArchiveEntry, 'sparse'>, folder: MadeIn): boolean {
    const isMore = entry.xattrs ?? entry.aclDefault ?? entry.sparse;
    return isMore === undefined && this.comesWithMode(entry, folder);
  }

  /** On an open file or folder, by its descriptor. */
  applyToOpen(fd: number, entry: Metadata, now: CurrentMetadata = {}): void {
    const { owner, inheritedAcls, stripped, isMode = false } = now;
    const owned = isOwner(owner, entry) || this.#own(entry, (uid, gid) => fchownSync(fd, uid, gid));
    const set = (name: string, value: Buffer): void => setXattrOfOpenFile(fd, name, value);
    const before = stripped === undefined ? [] : this.#namesOn(stripped, entry);
    for (const name of before) if (isStrange(name, entry)) this.#remove(stripped!, name, entry);
    this.#xattrs(entry, set);
    if (inheritedAcls !== undefined) this.clearAcls(inheritedAcls);
    if (!isMode) fchmodSync(fd, owned ? entry.mode : entry.mode & ~SET_ID_BITS);
    // Behind the mode: until then the group's bits are the ACL's mask, and would become the group's rights.
    for (const name of before) if (isStrangeAcl(name, entry)) this.#remove(stripped!, name, entry);
    this.#acls(entry, set);
    const mtimeNs = mtimeOf(entry);
    setTimesOfOpenFile(fd, { atimeNs: mtimeNs, mtimeNs });
  }

  /** On what cannot be opened: symlinks (which have no mode of their own), fifos and devices. */
  applyToPath(path: BytePath, entry: Metadata, isSymlink: boolean): void {
    const native = nativePath(path);
    const owned = this.#own(entry, (uid, gid) => lchownSync(native, uid, gid));
    const set = (name: string, value: Buffer): void => setXattr(path, name, value);
    this.#xattrs(entry, set);
    if (!isSymlink) {
      chmodNoFollow(path, owned ? entry.mode : entry.mode & ~SET_ID_BITS);
      this.#acls(entry, set);
    }
    const mtimeNs = mtimeOf(entry);
    setTimes(path, { atimeNs: mtimeNs, mtimeNs });
  }

  /** Takes away the ACLs that a new file got from its folder's default ACL. */
  clearAcls(path: BytePath): void {
    for (const name of [ACL_ACCESS, ACL_DEFAULT]) {
      try {
        removeXattr(path, name);
      } catch (error) {
        if (codeOf(error) !== 'ENOTSUP' && codeOf(error) !== 'EACCES') throw error;
      }
    }
  }

  /** False when the owner is not the archive's: then setuid and setgid would be somebody else's. */
  #own(entry: Metadata, change: (uid: number, gid: number) => void): boolean {
    const { uid, gid } = entry;
    if (this.#uid === undefined) return true; // No owners on this platform.
    try {
      change(uid, gid);
      return true;
    } catch (error) {
      this.notes.addOnce('owner', {
        text: `Owners are not restored (${reasonOf(error)}), nor setuid and setgid there; the first is ${shown(entry.path)}.`,
        lost: this.#privileged,
      });
      return false;
    }
  }

  #xattrs(entry: Metadata, set: (name: string, value: Buffer) => void): void {
    if (entry.xattrs === undefined) return;
    for (const [name, value] of entry.xattrs) {
      const failed = `${kindOf(name)} are not restored everywhere`;
      this.#try(entry, failed, () => set(name, value));
    }
  }

  #acls(entry: Metadata, set: (name: string, value: Buffer) => void): void {
    const { aclAccess, aclDefault } = entry;
    const failed = 'ACLs are not restored everywhere';
    if (aclAccess !== undefined) {
      this.#try(entry, failed, () => set(ACL_ACCESS, aclFromText(aclAccess)));
    }
    if (aclDefault !== undefined) {
      this.#try(entry, failed, () => set(ACL_DEFAULT, aclFromText(aclDefault)));
    }
  }

  #namesOn(path: BytePath, entry: Metadata): string[] {
    let names: string[] = [];
    const failed = 'Extended attributes that were there could not be looked at everywhere';
    this.#try(entry, failed, () => (names = listXattrs(path)));
    return names;
  }

  #remove(path: BytePath, name: string, entry: Metadata): void {
    const failed = `${kindOf(name)} that were there could not be removed everywhere`;
    this.#try(entry, failed, () => removeXattr(path, name));
  }

  /** @param failed said once for each reason: of few kinds, whatever an archive holds */
  #try(entry: Metadata, failed: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      const reason = capabilities.xattrs ? reasonOf(error) : 'not on this machine';
      this.notes.addOnce(`${failed} ${codeOf(error) ?? ''}`, {
        text: `${failed} (${reason}); the first is on ${shown(entry.path)}.`,
        lost: true,
      });
    }
  }
}

/** Linux's. What else an archive may say is no part of a note. */
const NAMESPACES = new Set(['user', 'trusted', 'security', 'system']);

/** For a note. */
function kindOf(name: string): string {
  if (name === ACL_ACCESS || name === ACL_DEFAULT) return 'ACLs';
  const namespace = namespaceOf(name);
  return NAMESPACES.has(namespace)
    ? `Extended attributes "${namespace}.*"`
    : 'Extended attributes of other kinds';
}

function namespaceOf(name: string): string {
  return name.split('.', 1)[0]!;
}

function isStrange(name: string, { xattrs }: Metadata): boolean {
  return PUT_ON_BY_USERS.has(namespaceOf(name)) && xattrs?.has(name) !== true;
}

function isStrangeAcl(name: string, { aclAccess, aclDefault }: Metadata): boolean {
  if (name === ACL_ACCESS) return aclAccess === undefined;
  return name === ACL_DEFAULT && aclDefault === undefined;
}

/** Changes the mode of exactly what is at the path, never of what a symlink there leads to. */
function chmodNoFollow(path: BytePath, mode: number): void {
  if (process.platform !== 'linux') {
    chmodSync(nativePath(path), mode);
    return;
  }
  const fd = openSync(nativePath(path), O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

function isOwner(owner: CurrentMetadata['owner'], { uid, gid }: Metadata): boolean {
  return owner?.uid === uid && owner.gid === gid;
}

/** As far as an index has them. */
export function metadataOf(entry: PlannedEntry): Metadata {
  const { seconds, nanos } = splitNanoseconds(entry.mtimeNs);
  return {
    path: entry.path,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtimeSeconds: seconds,
    mtimeNanos: nanos,
    xattrs: undefined,
    aclAccess: undefined,
    aclDefault: undefined,
  };
}
