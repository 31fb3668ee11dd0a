import type { CopyView } from '#contracts/catalog/copy.js';
import { leavingText } from '#contracts/catalog/leaving.js';
import type { FragmentView, ImageView } from '#contracts/image.js';
import { formatCount, formatSize } from './size.js';
import { fieldLines } from './table.js';
import { expiryText, formatTime } from './time.js';

/** One image in detail. */
export function imageBlock(image: ImageView): string[] {
  return fieldLines([
    ['Image', image.imageId],
    ['Client', image.client],
    ['Policy', image.policy],
    ['Schedule', image.schedule],
    ['Kind', image.kind],
    ['Builds on', image.baseImageId],
    ['Synthetic of', image.syntheticOf ?? null],
    ['State', image.state],
    ['Leaving', leavingText(image) ?? null],
    ['Job', image.job],
    ['Backup time', formatTime(image.backupTime)],
    ['Expires', expiryText(image.expiresAt)],
    ['Keyword', image.keyword],
    ['Selections', image.selections.join(', ')],
    ['Files', formatCount(image.files)],
    ['Size', exactSize(image.bytes)],
    ['Stored', exactSize(image.storedBytes)],
    ['On hold', image.holds.join(', ')],
    ['Copies', image.copies],
    ['Fragments', formatCount(image.fragments)],
  ]);
}

/** A block for each copy with a block for each of its fragments, in their order. */
export function copyBlocks(
  copies: readonly CopyView[],
  fragments: readonly FragmentView[],
): string[] {
  return copies.flatMap((copy) => {
    const own = fragments.filter((fragment) => fragment.copy === copy.copy);
    // Attempts are fences: they rise, but not by one only.
    const attempts = [...new Set(own.map(({ attempt }) => attempt))].sort((a, b) => a - b);
    return [
      '',
      ...copyBlock(copy),
      ...own.flatMap((fragment) => {
        const resumes = attempts.indexOf(fragment.attempt);
        return ['', ...fragmentBlock(fragment, resumes).map((line) => `  ${line}`)];
      }),
    ];
  });
}

function copyBlock(copy: CopyView): string[] {
  const expected = copy.fragmentsExpected === null ? '' : ` of ${copy.fragmentsExpected}`;
  return fieldLines([
    ['Copy', copy.copy],
    ['State', copy.state],
    ['Storage unit', copy.unit],
    ['Pool', copy.pool],
    ['Media server', copy.mediaId],
    ['Job', copy.job],
    ['Attempt', copy.attempt],
    ['Fragments', `${formatCount(copy.fragments)}${expected}`],
    ['Damaged', formatCount(copy.damaged)],
    ['Pinned', formatCount(copy.pinned)],
    ['Stored', exactSize(copy.storedBytes)],
    ['Expires', expiryText(copy.expiresAt)],
  ]);
}

function fragmentBlock(fragment: FragmentView, resumes: number): string[] {
  return fieldLines([
    ['Fragment', fragment.number],
    ['Id', fragment.fragmentId],
    ['State', stateOf(fragment)],
    ['Resume count', resumes],
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

function stateOf({ state, stateReason, deletableAt }: FragmentView): string {
  const until = deletableAt === null ? '' : `, can be taken back until ${formatTime(deletableAt)}`;
  return `${state}${stateReason === '' ? '' : ` (${stateReason})`}${until}`;
}

function exactSize(bytes: number): string {
  return bytes < 1_024 ? formatSize(bytes) : `${formatSize(bytes)} (${formatCount(bytes)} bytes)`;
}
