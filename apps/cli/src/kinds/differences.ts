import { isDeepStrictEqual } from 'node:util';

/** One field that is not what it was; `old` or `new` is undefined where there is no such field. */
export interface Difference {
  /** `schedules.daily.frequency`. */
  readonly field: string;
  readonly old: unknown;
  readonly new: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Field by field, down to values and lists of values. The elements of a list that have names are
 * compared by name, so that a schedule that moved is not another one.
 */
export function differences(before: unknown, after: unknown, field = ''): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isFields(before) && isFields(after)) return ofFields(before, after, field);
  if (isNamed(before) && isNamed(after)) {
    const found = ofFields(byName(before), byName(after), field);
    return found.length > 0 ? found : [{ field, old: namesOf(before), new: namesOf(after) }];
  }
  return [{ field, old: before, new: after }];
}

/** `jobsMax: 4 -> 8`; of long lists what came and what went. */
export function differenceText({ field, old, new: now }: Difference): string {
  if (Array.isArray(old) && Array.isArray(now) && isPlain(old) && isPlain(now)) {
    const added = now.filter((one) => !old.includes(one)).map((one) => `+${one}`);
    const gone = old.filter((one) => !now.includes(one)).map((one) => `-${one}`);
    if (added.length + gone.length > 0) return `${field}: ${[...added, ...gone].join(' ')}`;
  }
  return `${field}: ${valueText(old)} -> ${valueText(now)}`;
}

function ofFields(before: Fields, after: Fields, field: string): Difference[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(own(before, key), own(after, key), field ? `${field}.${key}` : key),
  );
}

/** A client may well be called `constructor`. */
function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

type Named = Fields & { readonly name: string };

function isNamed(value: unknown): value is Named[] {
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every((one) => isFields(one) && typeof one['name'] === 'string');
}

function byName(list: readonly Named[]): Fields {
  return Object.fromEntries(list.map((one) => [one.name, one]));
}

/** In their order, which an object's keys do not keep if they are numbers. */
function namesOf(list: readonly Named[]): string[] {
  return list.map(({ name }) => name);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPlain(list: readonly unknown[]): boolean {
  return list.every((one) => typeof one !== 'object' || one === null);
}

function valueText(value: unknown): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
