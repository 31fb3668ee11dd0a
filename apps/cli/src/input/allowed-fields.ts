import { z } from 'zod';
import {
  allowedText,
  alternatives,
  fieldSchema,
  type FieldSchema,
} from '#contracts/schema/field-schema.js';

/** The fields that the object at `path` below a schema may have; empty where there is none. */
export function allowedFields(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  return fieldsAt(schema, path).flatMap(({ properties }) => Object.keys(properties ?? {}));
}

/** What may stand at `path`, in words; undefined where nothing may. */
export function allowedAt(schema: z.ZodType, path: readonly PropertyKey[]): string | undefined {
  const [field] = fieldsAt(schema, path);
  return field && allowedText(field);
}

/** The field at a path; several where something on the way may be one of several things. */
function fieldsAt(schema: z.ZodType, path: readonly PropertyKey[]): FieldSchema[] {
  return path.reduce<FieldSchema[]>(
    (fields, part) => fields.flatMap(alternatives).flatMap((field) => below(field, part)),
    [fieldSchema(schema)],
  );
}

function below(field: FieldSchema, part: PropertyKey): FieldSchema[] {
  const { properties, items, additionalProperties } = field;
  const name = String(part);
  if (properties && Object.hasOwn(properties, name)) return [properties[name]!];
  if (typeof part === 'number') return items ? [items] : [];
  return typeof additionalProperties === 'object' ? [additionalProperties] : [];
}
