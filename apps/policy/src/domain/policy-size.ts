import type { PolicySpec } from '#contracts/policy.js';
import { InvalidInput } from '#kernel/errors.js';
import { filesOf } from './streams.js';

/** What a job's request may hold of lists. A message holds 1 MiB, and there is more in it. */
const LIST_BYTES_MAX = 800_000;
/** A policy travels with what is said of it, too. */
const POLICY_BYTES_MAX = 900_000;

/**
 * Throws `InvalidInput` for a policy whose jobs could not be asked for, since their lists do not fit
 * into a message, or that could not be shown. With several streams each path is in it twice.
 */
export function refuseTooLarge(policy: PolicySpec): void {
  const own = Object.keys(policy.perClient ?? {});
  const shared = policy.clients.find((client) => !own.includes(client));
  for (const client of [...(shared === undefined ? [] : [shared]), ...own]) {
    const bytes = bytesOf(filesOf(policy, client));
    if (bytes <= LIST_BYTES_MAX) continue;
    const field = own.includes(client) ? `policy.perClient.${client}` : 'policy.selections';
    const what = `selections and excludes of "${client}" have ${bytes} bytes in each job`;
    throw new InvalidInput(
      `${field}: ${what}; at most ${LIST_BYTES_MAX} fit. Divide them among several policies.`,
      field,
    );
  }
  const bytes = bytesOf(policy);
  if (bytes <= POLICY_BYTES_MAX) return;
  throw new InvalidInput(
    `policy: it has ${bytes} bytes; at most ${POLICY_BYTES_MAX} fit into a message. Divide it.`,
    'policy',
  );
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
