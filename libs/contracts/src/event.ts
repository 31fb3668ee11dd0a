import { z } from 'zod';
import { message, type Message } from './contract.js';

/** Public events are CloudEvents 1.0 in structured JSON (NATS binding 1.0.2). */
export const cloudEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.string(),
  source: z.string(),
  type: z.string(),
  subject: z.string(),
  time: z.iso.datetime(),
  datacontenttype: z.literal('application/json'),
  data: z.unknown(),
});
export type CloudEvent = z.infer<typeof cloudEvent>;

export const CLOUD_EVENT_CONTENT_TYPE = 'application/cloudevents+json';

/**
 * A public event: past tense, on `hf.evt.v1.<aggregate>.<event>.<id>`. The broker keeps it for
 * some days, but for `job.progressed` (see `eventStream`).
 */
export function publicEvent<T extends z.ZodType>(
  aggregate: string,
  happened: string,
  options: {
    readonly description: string;
    readonly data: T;
    /** What the id at the end names; default: the aggregate. */
    readonly id?: string;
  },
): Message<T> {
  return message(`hf.evt.v1.${aggregate}.${happened}`, [options.id ?? aggregate], {
    description: options.description,
    schema: options.data,
  });
}

/** The envelope for one event. */
export function envelope(
  contract: Message,
  event: { id: string; source: string; subject: string; time: Date; data: unknown },
): CloudEvent {
  const [, , , aggregate, happened] = contract.prefix.split('.');
  return {
    specversion: '1.0',
    id: event.id,
    source: `/holdfast/${event.source}`,
    type: `io.holdfast.${aggregate}.${happened}.v1`,
    subject: event.subject,
    time: event.time.toISOString(),
    datacontenttype: 'application/json',
    data: event.data,
  };
}
