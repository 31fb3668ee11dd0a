import { aclToText } from '#archive/acl-text.js';
import type { ArchiveEntry } from '#archive/archive-entry.js';
import type { ByteString } from '#archive/path-text.js';
import { PAX_RECORDS_BYTES_MAX } from '#archive/tar/pax-records.js';

import { readXattrs } from '../../posix/posix.js';

import { isGone, type ReaderContext } from './reader-context.js';

const ACL_ACCESS = 'system.posix_acl_access';
const ACL_DEFAULT = 'system.posix_acl_default';
/** Room for names, path and the rest of the records. */
const XATTR_BYTES_MAX = PAX_RECORDS_BYTES_MAX - 1024 * 1024;

/**
 * Fills in extended attributes and ACLs of an entry that has none yet. What cannot be read is left out with a warning.
 * @param at Its path, and the way to it for a system call.
 */
export function readAttributes(
  { path, way }: { path: ByteString; way: ByteString },
  entry: ArchiveEntry,
  context: ReaderContext,
): void {
  let xattrs: Map<string, Buffer> | undefined;
  try {
    xattrs = readXattrs(way);
  } catch (error) {
    if (!isGone(error)) {
      context.warnOfError(path, 'its extended attributes and ACLs cannot be read', error);
    }
    return;
  }
  if (!xattrs) return;
  entry.aclAccess = takeAcl(xattrs, ACL_ACCESS, path, context);
  entry.aclDefault = takeAcl(xattrs, ACL_DEFAULT, path, context);
  if (xattrs.size === 0) return;
  let bytes = 0;
  for (const [name, value] of xattrs) bytes += name.length + value.length + 32;
  if (bytes <= XATTR_BYTES_MAX) entry.xattrs = xattrs;
  else context.warn(path, `its extended attributes are too large (${bytes} bytes) and left out`);
}

function takeAcl(
  xattrs: Map<string, Buffer>,
  name: string,
  path: ByteString,
  context: ReaderContext,
): string | undefined {
  const value = xattrs.get(name);
  if (!value) return undefined;
  xattrs.delete(name);
  try {
    return aclToText(value);
  } catch (error) {
    context.warnOfError(path, 'its ACL is left out', error);
    return undefined;
  }
}
