import type { CloudEvent } from '#contracts/event.js';
import { printable } from './printable.js';
import { formatTime } from './time.js';

/** Fields of an event's data that say most, in this order, where it has them. */
const TELLING = [
  'state',
  'status',
  'type',
  'client',
  'policy',
  'kind',
  'imageId',
  'copy',
  'number',
  'mediaId',
  'files',
  'bytes',
  'storedBytes',
] as const;

/** `2026-01-31 18:00:05  job.done 7  state=done status=0 type=backup client=web1 ...`. */
export function eventLine(event: CloudEvent): string {
  const name = event.type.replace(/^io\.holdfast\./, '').replace(/\.v\d+$/, '');
  const fields = details(event.data);
  return printable(`${formatTime(event.time)}  ${name} ${event.subject}  ${fields}`.trimEnd());
}

function details(data: unknown): string {
  if (typeof data !== 'object' || data === null) return '';
  const values: Record<string, unknown> = { ...data };
  return TELLING.filter((name) => values[name] !== undefined && values[name] !== null)
    .map((name) => `${name}=${String(values[name])}`)
    .join(' ');
}
