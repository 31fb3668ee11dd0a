import type { FragmentView, ImageView } from '#contracts/image.js';
import { formatCount, formatSize } from './size.js';
import { fieldLines } from './table.js';
import { formatTime } from './time.js';

/** One image in detail. */
export function imageBlock(image: ImageView): string[] {
  return fieldLines([
    ['Image', image.imageId],
    ['Client', image.client],
    ['Policy', image.policy],
    ['Schedule', image.schedule],
    ['Kind', image.kind],
    ['Builds on', image.baseImageId],
    ['State', image.state],
    ['Job', image.job],
    ['Backup time', formatTime(image.backupTime)],
    ['Expires', formatTime(image.expiresAt)],
    ['Selections', image.selections.join(', ')],
    ['Files', formatCount(image.files)],
    ['Size', exactSize(image.bytes)],
    ['Stored', exactSize(image.storedBytes)],
    ['Copies', image.copies],
    ['Fragments', formatCount(image.fragments)],
  ]);
}

/** A block for each copy with a block for each of its fragments, in their order. */
export function copyBlocks(fragments: readonly FragmentView[]): string[] {
  const lines: string[] = [];
  let copy = 0;
  for (const fragment of fragments) {
    if (fragment.copy !== copy) {
      copy = fragment.copy;
      const own = fragments.filter((each) => each.copy === copy);
      const stored = own.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
      lines.push('', `Copy ${copy}: ${own.length} fragments, ${formatSize(stored)} stored`);
    }
    lines.push('', ...fragmentBlock(fragment).map((line) => `  ${line}`));
  }
  return lines;
}

function fragmentBlock(fragment: FragmentView): string[] {
  return fieldLines([
    ['Fragment', fragment.number],
    ['Id', fragment.fragmentId],
    ['State', fragment.state],
    ['Attempt', fragment.attempt],
    ['Media server', fragment.mediaId],
    ['Pool', fragment.pool],
    ['Archive offset', fragment.archiveOffset],
    ['Archive bytes', exactSize(fragment.archiveBytes)],
    ['Stored', exactSize(fragment.storedBytes)],
    ['Frames', fragment.frames],
    ['Index', exactSize(fragment.indexBytes)],
    ['BLAKE3', fragment.digest],
    ['Committed', formatTime(fragment.committedAt)],
  ]);
}

function exactSize(bytes: number): string {
  return bytes < 1_024 ? formatSize(bytes) : `${formatSize(bytes)} (${formatCount(bytes)} bytes)`;
}
