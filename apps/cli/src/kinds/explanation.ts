import {
  allowedText,
  alternatives,
  fieldSchema,
  type FieldSchema,
} from '#contracts/schema/field-schema.js';
import { UsageError } from '../exit-codes.js';
import { kindOfWord } from './kind-table.js';

/** What a field of a file is. */
export interface Explanation {
  readonly path: string;
  /** `string`, `integer`, `list of objects` ... */
  readonly type: string;
  readonly required: boolean;
  /** Undefined where there is none. */
  readonly default: unknown;
  readonly allowed: string;
  readonly description: string;
  /** True where `allowed` says more than the type: of a few values, or of a number with bounds. */
  readonly isChoice: boolean;
  /** What may stand in it; of a list, in its elements. */
  readonly fields: readonly Explanation[];
}

interface Place {
  readonly path: string;
  readonly field: FieldSchema;
  readonly required: boolean;
}

/**
 * Explains a kind or a field of it, `policy.schedules.frequency`; lists need no index, and what may
 * have any key (clients of a policy) takes `*`. Throws `UsageError` with what there is at that level.
 */
export function explain(path: string): Explanation {
  const [word = '', ...names] = path.split('.');
  const kind = kindOfWord(word);
  const root: Place = {
    path: kind.words[1] ?? kind.words[0]!,
    field: { ...fieldSchema(kind.schema), description: kind.summary },
    required: true,
  };
  return explanationOf(names.reduce(step, root));
}

function step(at: Place, name: string): Place {
  const inside = placesIn(at);
  const found = inside.find(({ path }) => path === `${at.path}.${name}`);
  if (found) return found;
  const names = inside.map(({ path }) => path.slice(at.path.length + 1));
  throw new UsageError(
    names.length > 0
      ? `${at.path} has no field "${name}"; it has ${names.join(', ')}.`
      : `${at.path} has no fields.`,
    'kind',
  );
}

function placesIn({ path, field }: Place): Place[] {
  return alternatives(field)
    .map((one) => one.items ?? one)
    .flatMap(alternatives)
    .flatMap(({ properties = {}, required = [], additionalProperties }) => [
      ...Object.entries(properties).map(([name, one]) => ({
        path: `${path}.${name}`,
        field: one,
        required: required.includes(name),
      })),
      ...(typeof additionalProperties === 'object' && Object.keys(additionalProperties).length > 0
        ? [{ path: `${path}.*`, field: additionalProperties, required: false }]
        : []),
    ]);
}

function explanationOf(place: Place): Explanation {
  const { path, field, required } = place;
  return {
    path,
    type: typeOf(field),
    required,
    default: field.default,
    allowed: allowedIn(field),
    isChoice: alternatives(field).some(isChoice),
    description: field.description ?? field.items?.description ?? '',
    fields: placesIn(place).map(explanationOf),
  };
}

function isChoice(field: FieldSchema): boolean {
  const isBounded = / (from|at least|at most) /.test(allowedText(field));
  return field.enum !== undefined || field.const !== undefined || (isNumber(field) && isBounded);
}

function isNumber({ type }: FieldSchema): boolean {
  return type === 'integer' || type === 'number';
}

function typeOf(field: FieldSchema): string {
  const types = alternatives(field).map((one) => {
    if (one.type === 'array') return `list of ${plural(typeOf(one.items ?? {}))}`;
    if (one.type === 'object' && !one.properties) return 'object with keys of your own';
    return one.type ?? typeof (one.const ?? one.enum?.[0] ?? '');
  });
  return [...new Set(types)].join(' or ');
}

function plural(type: string): string {
  return type.startsWith('list of ') ? type.replace('list', 'lists') : `${type}s`;
}

/** Of a list, also what its elements may be. */
function allowedIn(field: FieldSchema): string {
  const { items } = field;
  if (!items || items.properties) return allowedText(field);
  return `${allowedText(field)}, each ${allowedText(items)}`;
}
