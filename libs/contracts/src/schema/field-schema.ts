import { z } from 'zod';

/** What JSON Schema says of a field of ours: as much of it as we read. */
export interface FieldSchema {
  readonly type?: string;
  /** In words, where the schema says more with a pattern than people can read. */
  readonly allowed?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly FieldSchema[];
  readonly oneOf?: readonly FieldSchema[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly items?: FieldSchema;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: FieldSchema | boolean;
}

/** A schema as a person who writes the input has to know it. */
export function fieldSchema(schema: z.ZodType): FieldSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as FieldSchema;
}

/** The alternatives of a field that may be one of several things; of others the field itself. */
export function alternatives(field: FieldSchema): readonly FieldSchema[] {
  return field.anyOf ?? field.oneOf ?? [field];
}

/**
 * What is allowed, in words: `a whole number from 1 to 10`, `"full" or "user"`. `scale`: the bounds
 * are divided by it, where people give the number in another unit.
 */
export function allowedText(field: FieldSchema, scale = 1): string {
  return alternatives(field)
    .map((one) => oneAllowed(one, scale))
    .join(', or ');
}

function oneAllowed(field: FieldSchema, scale: number): string {
  if (field.allowed !== undefined) return field.allowed;
  if (field.const !== undefined) return JSON.stringify(field.const);
  if (field.enum) return field.enum.map((one) => JSON.stringify(one)).join(' or ');
  switch (field.type) {
    case 'integer':
    case 'number':
      return numberText(field, scale);
    case 'boolean':
      return 'true or false';
    case 'array':
      return `a list of ${countText(field.minItems, field.maxItems)}`;
    case 'object':
      return 'an object';
    case 'null':
      return 'nothing (null)';
    default:
      return stringText(field);
  }
}

function numberText(field: FieldSchema, scale: number): string {
  const what = field.type === 'integer' && scale === 1 ? 'a whole number' : 'a number';
  const min = bound(field.minimum, scale);
  const max = bound(field.maximum, scale);
  if (min !== undefined && max !== undefined) return `${what} from ${min} to ${max}`;
  if (min !== undefined) return `${what} of at least ${min}`;
  return max === undefined ? what : `${what} of at most ${max}`;
}

/** Zod writes the limits of a safe integer down; they are nobody's rule. */
function bound(value: number | undefined, scale: number): number | undefined {
  return value === undefined || Math.abs(value) >= Number.MAX_SAFE_INTEGER
    ? undefined
    : value / scale;
}

function countText(min = 0, max?: number): string {
  if (max === undefined) return min === 0 ? 'any length' : `at least ${min}`;
  return min === 0 ? `at most ${max}` : `${min} to ${max}`;
}

function stringText({ format, pattern, minLength = 0, maxLength }: FieldSchema): string {
  if (format === 'date-time') return 'an instant such as "2026-01-31T18:00:00Z"';
  if (pattern !== undefined) return `a text that matches ${pattern}`;
  if (maxLength === undefined) return minLength > 0 ? 'a text, not empty' : 'a text';
  return `a text of ${minLength > 0 ? `${minLength} to ` : 'at most '}${maxLength} characters`;
}
