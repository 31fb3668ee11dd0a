import { z } from 'zod';
import type { Nats } from '../connection.js';
import { isNobodyThere } from '../requests.js';

/** Of others' services, whoever shares this NATS with us, what is missing is nothing. */
const stats = z.object({
  name: z.string(),
  id: z.string(),
  version: z.string(),
  metadata: z.record(z.string(), z.string()).nullish(),
  started: z.string().optional(),
  endpoints: z
    .array(
      z.object({
        name: z.string(),
        num_requests: z.number().default(0),
        num_errors: z.number().default(0),
        last_error: z.string().default(''),
      }),
    )
    .nullish(),
});

/** One process of a service, as it shows itself to everybody (ADR-32). */
export interface MicroInstance {
  readonly service: string;
  /** Of this start; another one after a restart. */
  readonly id: string;
  readonly version: string;
  /** Our own processes say `instance`, `host` and `pid`. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly startedAt: string | undefined;
  readonly requests: number;
  readonly errors: number;
  /** The endpoint's name and what went wrong there last; empty where nothing did. */
  readonly lastError: string;
}

/** Asks everybody on this NATS and returns who answered `$SRV.STATS` within `timeoutMs`. */
export async function discover(nats: Nats, timeoutMs: number): Promise<MicroInstance[]> {
  const replies = await nats.connection.requestMany('$SRV.STATS', '', {
    strategy: 'timer',
    maxWait: timeoutMs,
  });
  const found = new Map<string, MicroInstance>();
  try {
    for await (const reply of replies) {
      const parsed = stats.safeParse(reply.json());
      if (parsed.success) found.set(parsed.data.id, instanceOf(parsed.data));
    }
  } catch (error) {
    if (!isNobodyThere(error)) throw error;
  }
  return [...found.values()];
}

function instanceOf(answer: z.infer<typeof stats>): MicroInstance {
  const endpoints = answer.endpoints ?? [];
  const failed = endpoints.find(({ last_error }) => last_error !== '');
  return {
    service: answer.name,
    id: answer.id,
    version: answer.version,
    metadata: answer.metadata ?? {},
    startedAt: answer.started,
    requests: endpoints.reduce((sum, { num_requests }) => sum + num_requests, 0),
    errors: endpoints.reduce((sum, { num_errors }) => sum + num_errors, 0),
    lastError: failed ? `${failed.name}: ${failed.last_error}` : '',
  };
}
