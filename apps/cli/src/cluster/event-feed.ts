import { cloudEvent, type CloudEvent } from '#contracts/event.js';
import { eventStream } from '#contracts/streams.js';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { UsageError } from '../exit-codes.js';
import type { Cluster } from './cluster.js';

const SUBJECT_PREFIX = 'hf.evt.v1.';

/**
 * The subject of a filter: `job`, `job.done`, `job.*.7`, `image` or a whole subject
 * (`hf.evt.v1.fragment.committed.>`). None means all events.
 * @throws UsageError: no filter, or one of what the broker does not keep
 */
export function eventSubject(filter: string | undefined): string {
  if (filter === undefined) return `${SUBJECT_PREFIX}>`;
  const rest = filter.startsWith(SUBJECT_PREFIX) ? filter.slice(SUBJECT_PREFIX.length) : filter;
  const tokens = rest.split('.');
  const sound = tokens.every((token, i) =>
    token === '>' ? i === tokens.length - 1 : token === '*' || /^[A-Za-z0-9_=-]+$/.test(token),
  );
  if (!sound) {
    throw new UsageError(
      `"${filter}" is no filter of events. Write for example job, job.done, "job.*.7" or image.`,
      'filter',
    );
  }
  if (tokens[1] === 'progressed') {
    throw new UsageError(
      'How far jobs have come is kept nowhere. Follow it with "holdfast jobs watch", or with ' +
        '"nats sub \'hf.evt.v1.job.progressed.>\'".',
      'filter',
    );
  }
  const open = tokens.length < 3 && tokens.at(-1) !== '>';
  return `${SUBJECT_PREFIX}${rest}${open ? '.>' : ''}`;
}

/**
 * Reads the events that the broker keeps (the last days) from `since` on, in order, and then ends,
 * or with `follow` goes on with what comes, over reconnections, until `signal` fires.
 */
export async function readEvents(
  cluster: Cluster,
  options: { subject: string; since: Date; follow: boolean; signal: AbortSignal },
  heard: (event: CloudEvent) => void,
): Promise<void> {
  const { subject, since, follow, signal } = options;
  const consumer = await cluster.nats.jetstream.consumers
    .get(eventStream.name, {
      filter_subjects: subject,
      deliver_policy: 'by_start_time',
      opt_start_time: since.toISOString(),
    })
    .catch((error: unknown) => {
      throw new PermanentError(
        STATUS.masterRequestFailed,
        `The event stream cannot be read: ${String(error)}.`,
      );
    });
  try {
    const { num_pending: stored } = await consumer.info();
    if (!follow && stored === 0) return;
    const messages = await consumer.consume({ max_messages: 200 });
    signal.addEventListener('abort', () => void messages.close(), { once: true });
    for await (const message of messages) {
      const event = cloudEvent.safeParse(message.json());
      if (event.success) heard(event.data);
      if (!follow && message.info.pending === 0) return;
    }
  } finally {
    // The broker drops it by itself after some minutes; this only tidies up sooner.
    await consumer.delete().catch(() => false);
  }
}
