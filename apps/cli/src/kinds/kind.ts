import type { z } from 'zod';
import { fieldSchema } from '#contracts/schema/field-schema.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Column } from '../output/table.js';

/** One thing that files describe, without its `kind`: all fields, defaults filled in. */
export type Spec = Readonly<Record<string, unknown>>;

/**
 * A kind of things that `apply`, `get` and `explain` know. Every document has a `name`; with the
 * kind, it says which thing is meant.
 */
export interface Kind<S extends Spec = Spec> {
  /** As files write it. */
  readonly kind: string;
  /** As people type it after `get` and `explain`, in small letters; the plural comes first. */
  readonly words: readonly string[];
  readonly summary: string;
  /** A strict object, without `kind`. */
  readonly schema: z.ZodType<S>;
  readonly columns: readonly Column<S>[];
  /** All there are, in the order in which they are shown. */
  list(cluster: Cluster): Promise<S[]>;
  find(cluster: Cluster, name: string): Promise<S | undefined>;
  /** Creates it or replaces the one of that name. */
  put(cluster: Cluster, spec: S): Promise<unknown>;
}

/** Forgets which kind it is, for the table of all: what a kind gets has passed its own schema. */
export function anyKind<S extends Spec>(kind: Kind<S>): Kind {
  return kind as unknown as Kind;
}

/** One of a list, for a kind that has no question for a single one. */
export async function findIn<S extends Spec>(list: Promise<S[]>, name: string) {
  return (await list).find((one) => String(one['name']) === name);
}

/** What a service tells of a thing, reduced to what a file may say of it. */
export function specOf<S extends Spec>(schema: z.ZodType<S>, view: object): S {
  const fields = Object.keys(fieldSchema(schema).properties ?? {});
  const known = Object.entries(view).filter(
    ([key, value]) => fields.includes(key) && value !== null,
  );
  return schema.parse(Object.fromEntries(known));
}
