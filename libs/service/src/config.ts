import { z } from 'zod';
import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** What every process needs to reach the broker. */
export const natsConfig = z.object({
  HOLDFAST_NATS_URL: z
    .string()
    .regex(/^(nats|tls):\/\/[^/]+$/, 'a NATS address is nats://HOST:PORT'),
  /** The user's name and the file that holds its nkey seed. */
  HOLDFAST_NATS_USER: z.string().min(1),
  HOLDFAST_NATS_SEED_FILE: z.string().min(1),
});
export type NatsConfig = z.infer<typeof natsConfig>;

/** Of one service; `max_connections` in deploy/postgres/postgresql.conf takes so many of each. */
export const DATABASE_CONNECTIONS_MAX = 100;

/** What a service with tables needs. */
export const databaseConfig = z.object({
  HOLDFAST_DATABASE_URL: z
    .string()
    .regex(
      /^postgres(ql)?:\/\/[^/]+\/[^/?]+/,
      'a database address is postgres://USER@HOST:PORT/DATABASE',
    ),
  /** The file that holds the password, so that it is in no process list. */
  HOLDFAST_DATABASE_PASSWORD_FILE: z.string().optional(),
  HOLDFAST_DATABASE_CONNECTIONS_MAX: z.coerce
    .number()
    .int()
    .min(2)
    .max(DATABASE_CONNECTIONS_MAX)
    .default(6),
});
export type DatabaseConfig = z.infer<typeof databaseConfig>;

/** Reads a configuration once, at the start. Names every variable that is missing or wrong. */
export function readConfig<T extends z.ZodType>(
  schema: T,
  environment: Readonly<Record<string, string | undefined>>,
): z.output<T> {
  const result = schema.safeParse(environment);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    (issue) => `  ${issue.path.join('.')}: ${issue.message}`,
  );
  throw new PermanentError(
    STATUS.invalidParameter,
    `The configuration is not complete:\n${problems.join('\n')}`,
  );
}
