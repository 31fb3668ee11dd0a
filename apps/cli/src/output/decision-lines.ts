import type { ExpiryDecision } from '#contracts/catalog/expiry.js';
import { formatCount, formatSize } from './size.js';
import { tableLines, type Column } from './table.js';
import { formatTime } from './time.js';

const COLUMNS: readonly Column<ExpiryDecision>[] = [
  { title: 'IMAGE', cell: ({ imageId }) => imageId },
  { title: 'COPY', right: true, cell: ({ copy }) => copy },
  { title: 'DECISION', cell: ({ decision }) => decision },
  { title: 'FRAGMENTS', right: true, cell: ({ fragments }) => formatCount(fragments) },
  { title: 'STORED', right: true, cell: ({ storedBytes }) => formatSize(storedBytes) },
  { title: 'WHY', cell: ({ reasons }) => reasons.join('; ') },
];

/** What an expiration did, or would do, with each copy, and what to do about it. */
export function decisionLines(
  answer: { readonly decisions: readonly ExpiryDecision[]; readonly deletableAt: string | null },
  isPreview: boolean,
): string[] {
  const { decisions, deletableAt } = answer;
  if (decisions.length === 0) return ['There is nothing to expire.'];
  return [...tableLines(COLUMNS, decisions), '', summary(decisions, { deletableAt, isPreview })];
}

function summary(
  decisions: readonly ExpiryDecision[],
  { deletableAt, isPreview }: { deletableAt: string | null; isPreview: boolean },
): string {
  const going = decisions.filter(({ decision }) => decision === 'delete');
  const bytes = going.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
  const what = `${going.length} of ${decisions.length} copies (${formatSize(bytes)})`;
  if (isPreview) return `Would mark ${what} for deletion. Nothing was changed.`;
  if (going.length === 0) return 'Nothing was marked for deletion.';
  const until = deletableAt === null ? '' : ` until ${formatTime(deletableAt)}`;
  return `Marked ${what} for deletion. Take one back${until} with: holdfast image undelete IMAGE`;
}
