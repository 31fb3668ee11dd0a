import { isDeepStrictEqual } from 'node:util';
import { fieldSchema, type FieldSchema } from '#contracts/schema/field-schema.js';
import type { Kind, Spec } from './kind.js';

/**
 * A thing as a file for `apply` has it: its kind and name first, then the fields in the order of the
 * schema. Values and empty lists that are the default are left out; applying it changes nothing.
 */
export function manifestOf(kind: Kind, spec: Spec): Spec {
  const { name, ...rest } = inOrder(spec, fieldSchema(kind.schema)) as Spec;
  return { kind: kind.kind, name, ...rest };
}

function inOrder(value: unknown, field: FieldSchema | undefined): unknown {
  if (Array.isArray(value)) return value.map((one) => inOrder(one, field?.items));
  if (typeof value !== 'object' || value === null) return value;
  const { properties } = field ?? {};
  if (properties === undefined) return value;
  const known = Object.entries(properties).filter(([key]) => key in value);
  return Object.fromEntries(
    known
      .map(([key, schema]) => [key, Reflect.get(value, key) as unknown, schema] as const)
      .filter(([, one, schema]) => one !== undefined && !isObvious(one, schema))
      .map(([key, one, schema]) => [key, inOrder(one, schema)]),
  );
}

/** A default that says something (the one schedule that a policy gets) is worth its lines. */
function isObvious(value: unknown, schema: FieldSchema): boolean {
  const isSmall = typeof value !== 'object' || (Array.isArray(value) && value.length === 0);
  return isSmall && schema.default !== undefined && isDeepStrictEqual(value, schema.default);
}
