import { fileOfLine } from '#archive/file-lines.js';
import type { FileView } from '#contracts/image.js';
import type { TreeEntry } from './tree-block.js';

/** One entry of an image, as its tree holds it. */
export interface FileEntry extends TreeEntry {
  readonly imageId: string;
}

export function toFileView(entry: FileEntry): FileView {
  return { imageId: entry.imageId, ...fileOfLine(entry) };
}
