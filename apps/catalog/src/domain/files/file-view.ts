import { splitNanoseconds } from '#archive/nanoseconds.js';
import type { FileView } from '#contracts/image.js';
import { joinPath } from './glob.js';
import type { TreeEntry } from './tree-block.js';

/** One entry of an image, as its tree holds it. */
export interface FileEntry extends TreeEntry {
  readonly imageId: string;
}

export function toFileView(entry: FileEntry): FileView {
  const { imageId, type, size, uid, gid } = entry;
  return {
    imageId,
    path: joinPath(entry.directory, entry.name),
    type,
    size,
    mtime: nanosecondTime(entry.mtimeNs),
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    target: targetOf(entry),
  };
}

/** RFC 3339 in UTC with nine digits of fraction. */
export function nanosecondTime(mtimeNs: string): string {
  const { seconds, nanos } = splitNanoseconds(mtimeNs);
  const time = new Date(seconds * 1_000);
  // A file system can hold times that no calendar has.
  if (Number.isNaN(time.getTime())) return `${seconds} s since 1970`;
  return `${time.toISOString().slice(0, -5)}.${String(nanos).padStart(9, '0')}Z`;
}

/** A symbolic link's target as it is, a hard link's as an absolute path. */
function targetOf({ type, extra }: FileEntry): string {
  if (type === 'l') return extra;
  return type === 'h' ? `/${extra}` : '';
}
