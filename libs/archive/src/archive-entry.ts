import type { ByteString } from './path-text.js';
import type { DataRange } from './sparse-map.js';
import type { EntryType } from './tar-block.js';

/** One entry of an archive. Byte strings throughout; what does not apply is empty, 0 or undefined. */
export interface ArchiveEntry {
  type: EntryType;
  /** Absolute, without slashes at its ends; empty for `/` itself. */
  path: ByteString;
  /** Of a symlink, as it stands; of a hard link, the archive path of the entry with the data. */
  linkTarget: ByteString;
  /** Bytes of content of a regular file; its real size if it is sparse. 0 for everything else. */
  size: number;
  /** Whole seconds since 1970, rounded down; negative before. */
  mtimeSeconds: number;
  /** 0 to 999,999,999, to be added to the seconds. */
  mtimeNanos: number;
  /** Permission bits with setuid, setgid and sticky: 12 bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Owner's names where known; more than 31 bytes are left out. */
  userName: ByteString;
  groupName: ByteString;
  deviceMajor: number;
  deviceMinor: number;
  /** Without `system.posix_acl_*`. */
  xattrs: ReadonlyMap<string, Buffer> | undefined;
  /** Text with numeric ids, see `acl-text.ts`. */
  aclAccess: string | undefined;
  aclDefault: string | undefined;
  /** Where the data of a sparse file lies; undefined for a file that is stored whole. */
  sparse: readonly DataRange[] | undefined;
}

/** An entry of which nothing is known yet. */
export function emptyEntry(): ArchiveEntry {
  return {
    type: 'f',
    path: '',
    linkTarget: '',
    size: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    mode: 0,
    uid: 0,
    gid: 0,
    userName: '',
    groupName: '',
    deviceMajor: 0,
    deviceMinor: 0,
    xattrs: undefined,
    aclAccess: undefined,
    aclDefault: undefined,
    sparse: undefined,
  };
}
