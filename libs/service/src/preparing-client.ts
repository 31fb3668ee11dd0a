import { createHash } from 'node:crypto';
import { Client, type QueryResult } from 'pg';
import { isPrepared } from '#outbox/prepared.js';

/** The same statement has the same name on every connection. There are as many as stand in the code. */
const names = new Map<string, string>();

/** A connection that has statements which are marked as `prepared` planned once. */
export class PreparingClient extends Client {
  // The driver's own signature has a dozen forms; all but one of them pass through.
  override query(...args: unknown[]): Promise<QueryResult> & void {
    const [text, values] = args;
    const query = super.query.bind(this) as (...all: unknown[]) => Promise<QueryResult> & void;
    const isPlain = values === undefined || Array.isArray(values);
    if (typeof text !== 'string' || !isPlain || !isPrepared(text)) return query(...args);
    return query({ name: nameOf(text), text, values: values ?? [] }, ...args.slice(2));
  }
}

function nameOf(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const name = createHash('sha256').update(text).digest('base64url').slice(0, 24);
  names.set(text, name);
  return name;
}
